"""A step that changes nothing: said once, unless the program may well mean it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from .._help.describe import plural
from ..autodiff.idle import clock, living, managers, skipped_since, why_without_gradient
from ..graph.source import warn_once

if TYPE_CHECKING:
    from .optimizer import Optimizer


class Progress:
    """When one optimizer was made, last stepped, and last had a gradient to step with, as moments of the clock."""

    __slots__ = ("made", "stepped", "updated")

    def __init__(self) -> None:
        self.made = self.stepped = next(clock)
        self.updated = 0

    def trained(self, optimizer: Optimizer) -> None:
        """A step had gradients to step with."""
        if not self.updated:
            _optimizers.add(optimizer)
        self.updated = self.stepped = next(clock)

    def idle(self, params: list[Any]) -> None:
        """A step changed nothing, since no parameter has a gradient: warn at the user's line if that is a mistake.

        It is none if gradients that were not finite have just been dropped, if these parameters have been trained before, as when
        a network waits for another one, or while another optimizer trains, as when a part of a model is frozen.
        """
        since, self.stepped = self.stepped, next(clock)
        if skipped_since(since):
            return
        strangers = _gradients_that_nobody_steps()
        if not strangers and (
            self.updated or any(other._progress.updated > self.made for other in living(_optimizers))
        ):
            return
        why = why_without_gradient(params, since)
        if why is not None:
            warn_once("idle step", f"step() changes nothing: {_without_gradient(len(params))}: {why}")


_optimizers: weakref.WeakSet[Optimizer] = weakref.WeakSet()  # those that have trained something


def _without_gradient(count: int) -> str:
    return "its parameter has no gradient" if count == 1 else f"none of its {plural(count, 'parameter')} has a gradient"


def _gradients_that_nobody_steps() -> bool:
    """Whether there are gradients, and none is of a parameter that an optimizer has trained."""
    with_gradient = {id(t) for manager in living(managers) for t in manager.attached_tensors() if t._grad is not None}
    if not with_gradient:
        return False
    return with_gradient.isdisjoint(id(param) for optimizer in living(_optimizers) for param in optimizer._get_params())
