"""Where :class:`~megengine.autodiff.Function` was before it was public, and what :class:`~megengine.autodiff.GradManager` was
made of; custom operations and old training loops still import them from here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from ...autodiff.function import Function
from ...autodiff.grad_manager import GradManager, cotangents_of
from ...tensor import Tensor

__all__ = ["Function", "Grad"]

_numbers = itertools.count()


class Grad:
    """One gradient computation, whose results go to callbacks instead of ``grad``.

    Args:
        name: default a number.

    Example:
        >>> x = Tensor([1.0, 2.0])
        >>> with Grad() as grad:
        ...     grad.wrt(x, callback=print)
        ...     grad(x * x, F.ones(2))  # doctest: +ELLIPSIS
        <megengine.core.autodiff.grad.Grad object at ...>
        Tensor([2. 4.], device=xpux:0)
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name or f"grad_{next(_numbers)}"
        self._manager = GradManager()
        self._attached: list[Tensor] = []

    def wrt(self, *tensors: Tensor, callback: Callable[[Tensor], Any] | None = None) -> Grad:
        """Name tensors to differentiate with respect to.

        Args:
            tensors: floating-point tensors.
            callback: called with the gradient.
        """

        def hand_over(_: Tensor, gradient: Tensor) -> Tensor:
            if callback is not None:
                callback(gradient)
            return gradient

        self._manager.attach(tensors, hand_over)
        self._attached += tensors
        return self

    def __call__(self, ys: Tensor | Sequence[Tensor], dys: Tensor | Sequence[Tensor]) -> None:
        """Compute the gradients of ``ys`` with the cotangents ``dys``, and hand them over."""
        outputs = [ys] if isinstance(ys, Tensor) else list(ys)
        cotangents = [dys] if isinstance(dys, Tensor) else list(dys)
        if not self._manager._recording:
            raise RuntimeError("Grad is called once, inside its `with` block")
        self._manager._gradients(outputs, cotangents_of(outputs, cotangents))
        self._manager.release()

    def __enter__(self) -> Grad:
        self._manager.record()
        return self

    def __exit__(self, *exc: object) -> None:
        self._manager.release()
        self._attached = []
