"""A backward pass that gives no tensor a gradient: said once, with what is known of why."""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING, Any

from .._help.describe import plural
from ..graph.recorder import serials
from ..graph.source import warn_once

if TYPE_CHECKING:
    from .grad_manager import GradManager

clock = itertools.count(1)  # orders what managers, scalers and optimizers did
managers: weakref.WeakSet[GradManager] = weakref.WeakSet()


def living(objects: weakref.WeakSet[Any]) -> list[Any]:
    """What is in a weak set, to which another thread may add meanwhile."""
    return [found for ref in list(objects.data) if (found := ref()) is not None]  # type: ignore[attr-defined]


class _Skips:
    """When a gradient scaler last dropped gradients that were not finite, which is no mistake of the program's."""

    last = 0


def note_skip() -> None:
    """Gradients were dropped on purpose: the next step changes nothing, and need not."""
    _Skips.last = next(clock)


def skipped_since(moment: int) -> bool:
    """Whether gradients were dropped on purpose after a moment of the clock."""
    return _Skips.last > moment


def warn_of_no_gradient(manager: GradManager, ys: list[Any]) -> None:
    """Warn at the user's line that ``backward(ys)`` gave nobody a gradient; called before the recording is released."""
    manager._told = next(clock)
    warn_once("no gradient", f"backward() gives no tensor a gradient: {_why(manager, ys)}")


def _why(manager: GradManager, ys: list[Any]) -> str:
    attached = manager.attached_tensors()
    if not attached:
        if manager._has_attached:
            return "the tensors attached to this GradManager are gone; attach those that took their place"
        return (
            "nothing is attached to this GradManager; call gm.attach(model.parameters()) (an iterator that was used before, "
            "for example to make the optimizer, is empty)"
        )
    tensors = "the tensor attached" if len(attached) == 1 else f"any of the {len(attached):,} tensors attached"
    if any(y is t for y in ys for t in attached):
        return "its argument is itself the attached tensor"
    if not _recorded_something(manager):
        return f"no operation on {tensors} was recorded; compute the loss inside `with gm:`, from the attached tensors themselves"
    return (
        f"its argument does not depend on {tensors} by differentiable operations recorded inside this `with gm:` "
        "(computed outside the block, detached, passed through NumPy, or made by argmax, comparisons or rounding?)"
    )


def _recorded_something(manager: GradManager) -> bool:
    """Whether gradient nodes were made since the recording began, besides those of the attached tensors."""
    tape = manager._tape
    assert tape is not None
    return next(serials) - tape.level - 1 > len(manager._leaves)


def why_without_gradient(params: list[Any], since: int) -> str | None:
    """Why parameters have no gradient at an optimizer's step, or None where ``backward`` has said so since that moment."""
    own = {id(param) for param in params}
    attached: dict[int, Any] = {}
    for manager in living(managers):
        if manager._told > since:
            return None
        tensors = {id(tensor): tensor for tensor in manager.attached_tensors()}
        attached.update(tensors)
    if not attached:
        return (
            "nothing is attached to a GradManager; call gm.attach(model.parameters()), compute the loss inside `with gm:`, and "
            "call gm.backward(loss) before step()"
        )
    if own.isdisjoint(attached):
        return (
            f"they are not attached to a GradManager, while {plural(len(attached), 'other tensor')} "
            f"{'is' if len(attached) == 1 else 'are'}; was the model made anew, or were its parameters replaced, after the "
            "optimizer was made?"
        )
    given = [manager._given for manager in living(managers) if manager._gave > since]
    if not given:
        return "no gm.backward(loss) has run for this step"
    if own.isdisjoint(itertools.chain(*given)):
        return (
            "gm.backward(loss) gave gradients to other tensors only; does the loss depend on these parameters, or was the model "
            "made anew?"
        )
    return "they were cleared after gm.backward(loss); call clear_grad() after step(), or before backward()"
