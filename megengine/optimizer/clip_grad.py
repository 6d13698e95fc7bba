"""Keeping gradients within bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .._help.ranges import number, within
from ..functional import abs as absolute
from ..functional import clip, maximum, minimum, sqrt
from ..graph.scalars import Shared
from ..graph.together import reset_together
from ..tensor import Tensor

__all__ = ["clip_grad_norm", "clip_grad_value"]


def _gradients(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """Those that have elements."""
    grads = [t.grad for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    return [g for g in grads if g is not None and g.size]


def _norm(grads: list[Tensor], order: float) -> Tensor:
    """The norm of all elements of several tensors together."""
    if math.isinf(order):
        extremes = [absolute(g).max() if order > 0 else absolute(g).min() for g in grads]
        extreme = extremes[0]
        for other in extremes[1:]:
            extreme = maximum(extreme, other) if order > 0 else minimum(extreme, other)
        return extreme
    if order == 0:
        counts = [(g != 0).astype(g.dtype).sum() for g in grads]
        return sum(counts[1:], counts[0])
    powers = [g * g if order == 2 else absolute(g) ** float(order) for g in grads]
    total = sum(p.sum() for p in powers)
    return sqrt(total) if order == 2 else total ** (1.0 / order)


def clip_grad_norm(tensors: Tensor | Iterable[Tensor], max_norm: float, ord: float | str = 2.0) -> Tensor:
    """Scale gradients, in place, so that their norm, of all elements together, is at most ``max_norm``.

    Args:
        tensors: whose ``grad`` to scale; those without are skipped.
        max_norm: the bound.
        ord: p of the p-norm; ``inf`` or ``"inf"`` for the largest absolute value. Default: 2

    Raises:
        ValueError: a negative bound, or NaN.

    Returns:
        the norm before, a scalar tensor.

    Example:
        >>> param = megengine.Parameter([0.0, 0.0])
        >>> param.grad = Tensor([3.0, 4.0])
        >>> megengine.optimizer.clip_grad_norm([param], max_norm=1.0).item()
        5.0
        >>> np.round(param.grad.numpy(), 4).tolist() == np.float32([0.6, 0.8]).tolist()
        True
    """
    if not isinstance(max_norm, Tensor):
        within("max_norm", max_norm, 0)
    order = number("ord", float(ord) if isinstance(ord, str) else ord)
    grads = _gradients(tensors)
    if not grads:
        return Tensor(0.0)
    norm = _norm(grads, order)
    scale = minimum(max_norm / (norm + 1e-6), 1.0)
    reset_together(grads, [grad * scale for grad in grads])
    return norm


def clip_grad_value(tensors: Tensor | Iterable[Tensor], lower: float, upper: float) -> None:
    """Clip the elements of gradients, in place.

    Args:
        tensors: whose ``grad`` to clip; those without are skipped.
        lower: smallest value allowed.
        upper: largest value allowed.

    Raises:
        ValueError: ``lower`` is above ``upper``, or one of them is NaN.

    Example:
        >>> param = megengine.Parameter([0.0, 0.0])
        >>> param.grad = Tensor([-3.0, 0.5])
        >>> megengine.optimizer.clip_grad_value([param], lower=-1, upper=1)
        >>> param.grad.numpy()
        array([-1. ,  0.5], dtype=float32)
    """
    if not isinstance(lower, Tensor) and not isinstance(upper, Tensor):
        within("lower", lower, -math.inf, within("upper", upper))
    grads = _gradients(tensors)
    low, high = (Shared(x) if isinstance(x, int | float) else x for x in (lower, upper))
    reset_together(grads, [clip(grad, low, high) for grad in grads])
