"""GradScaler: losses scaled so that small float16 gradients do not vanish."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from .._help.describe import settings
from .._help.names import no_attribute
from .._help.ranges import number, within
from .._help.spellings import SCALER
from ..autodiff import GradManager
from ..autodiff.idle import note_skip
from ..functional import full_like
from ..functional.math import _check_non_finite
from ..graph.source import warn_once
from ..graph.together import together
from ..tensor import Tensor

MOST = 3.4e38  # of float32
TOO_MANY = 20  # a scale of 2^20 has come down to 1 by then


def _drop_gradients(owners: list[Tensor]) -> None:
    for tensor in owners:
        tensor.grad = None


class GradScaler:
    """Differentiates a loss times a scale and divides the gradients by it, and finds a scale that does not overflow.

    Where a gradient is infinite or NaN, all gradients become None, so that optimizers leave their parameters as they are, and
    the scale is multiplied by ``backoff_factor``; after ``growth_interval`` good steps in a row, by ``growth_factor``. Looking at
    the gradients runs the pending step so far: forward and backward pass run once, the update after them. bfloat16 has the
    range of float32 and needs no scaling. Micikevicius et al., Mixed Precision Training, 2018.

    Args:
        init_scale: first scale. Default: 16
        growth_factor: by how much a scale grows; 0 keeps it. Default: 2
        backoff_factor: by how much it shrinks. Default: 0.5
        growth_interval: after how many good steps it grows; 0 keeps the scale, and gradients are not looked at, so that a step
            is one program. Default: 2000

    Raises:
        ValueError: a scale that is not positive and finite, a growth factor below 1 that is not 0, a backoff factor that is not
            above 0 and at most 1, or a negative interval.

    Example:
        >>> weight = megengine.Parameter([1.0, 2.0])
        >>> gm = megengine.autodiff.GradManager().attach(weight)
        >>> scaler = megengine.amp.GradScaler(init_scale=1024.0)
        >>> with gm, megengine.amp.autocast():
        ...     scaler.backward(gm, (weight * weight).sum())
        >>> weight.grad
        Tensor([2. 4.], device=xpux:0)
    """

    _harmless: ClassVar[bool] = True  # a file may name it
    _skipped_in_a_row = 0

    def __init__(
        self,
        init_scale: float = 2.0**4,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
    ) -> None:
        self.scale_factor = number("init_scale", init_scale, 0, MOST, above=True)
        self.growth_factor = number("growth_factor", growth_factor)
        if self.growth_factor != 0:
            within("growth_factor", self.growth_factor, 1)
        self.backoff_factor = number("backoff_factor", backoff_factor, 0, 1, above=True)
        self.growth_interval = within("growth_interval", growth_interval, 0)
        self._growth_tracker = 0
        self._found_non_finite = False

    def __getattr__(self, name: str) -> Any:
        raise no_attribute(self, name, SCALER)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({settings({n: v for n, v in self.state_dict().items() if n[0] != '_'})})"

    def backward(
        self,
        gm: GradManager,
        y: Tensor | list[Tensor] | None = None,
        dy: Tensor | list[Tensor] | None = None,
        *,
        unscale_grad: bool = True,
        update_scale: bool | str = "if_unscale_grad",
    ) -> None:
        """``gm.backward(y, dy)`` with ``dy`` scaled, then :meth:`unscale` and :meth:`update`.

        Args:
            gm: the manager that has recorded ``y``.
            y: a tensor or several.
            dy: their cotangents; default ones.
            unscale_grad: whether to unscale the gradients of all attached tensors at once; False to add up those of several
                batches first. Default: True
            update_scale: whether to update the scale at once; without unscaling it never is. Default: true
        """
        ys = [] if y is None else list(y) if isinstance(y, (tuple, list)) else [y]
        if dy is None:
            dys = [full_like(output, self.scale_factor) for output in ys]
        else:
            dys = [d * self.scale_factor for d in (dy if isinstance(dy, (tuple, list)) else [dy])]
        together(self._backward, gm, ys, dys, unscale_grad)
        if unscale_grad and update_scale:
            self.update()

    def _backward(self, gm: GradManager, ys: list[Tensor], dys: list[Tensor], unscale_grad: bool) -> None:
        gm.backward(y=ys, dy=dys)
        if unscale_grad:
            self.unscale(gm.attached_tensors())

    def unscale(self, grad_tensors: Iterable[Tensor]) -> GradScaler:
        """Divide gradients by the scale, or set all to None if one is infinite or NaN.

        Args:
            grad_tensors: the tensors whose ``grad`` to divide; those without one are left alone.

        Returns:
            this scaler.
        """
        owners = [t for t in grad_tensors if t is not None and t.grad is not None]
        if not owners:
            return self
        found = _check_non_finite([t.grad for t in owners if t.grad is not None], 1.0 / self.scale_factor)
        if self.growth_interval != 0 and found.item():
            self._found_non_finite = True
            note_skip()
            together(_drop_gradients, owners)
        return self

    def update(self, new_scale: float | None = None) -> None:
        """Change the scale by what has been found since the last call.

        Args:
            new_scale: the scale from now on; default found as the class says.
        """
        if self.growth_interval == 0:
            return
        if new_scale is not None:
            self.scale_factor = number("new_scale", new_scale, 0, MOST, above=True)
        elif self._found_non_finite:
            self.scale_factor *= self.backoff_factor
            self._growth_tracker = 0
            self._skipped_in_a_row += 1
            if self._skipped_in_a_row == TOO_MANY:
                warn_once(
                    "overflow",
                    f"{TOO_MANY} steps in a row were left out since gradients are infinite or NaN, at last with a scale of "
                    f"{self.scale_factor:g}; megengine.graph.check_nan() finds the operation that makes the first one",
                )
        else:
            self._skipped_in_a_row = 0
            self._growth_tracker += 1
            if self._growth_tracker >= self.growth_interval:
                self.scale_factor *= self.growth_factor or 1.0
                self._growth_tracker = 0
        self._found_non_finite = False

    def state_dict(self) -> dict[str, Any]:
        """The scale and all that decides about it, as a dict of numbers.

        Example:
            >>> megengine.amp.GradScaler().state_dict()["scale_factor"]
            16.0
        """
        names = ("scale_factor", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave.

        Args:
            state: the dict.

        Raises:
            KeyError: a name is missing; nothing has changed then.
        """
        for name, value in {name: state[name] for name in self.state_dict()}.items():
            setattr(self, name, value)
