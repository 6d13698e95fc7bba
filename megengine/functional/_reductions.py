"""Reductions over all elements or over chosen dimensions, and running sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph.apply import apply
from ..ops import reduce
from ..tensor import Tensor
from ..tensor import axes as _axes
from ..tensor.reductions import reduced
from ._args import require_tensor, tensor_of, vector_of

Axis = int | Sequence[int] | None


def sum(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over dimensions. Integers keep their dtype (and wrap), bools give int32.

    Args:
        inp: input.
        axis: one dimension, several, or None for all.
        keepdims: keep the reduced dimensions with size 1; needs ``axis``.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, or a dimension named twice.
        RuntimeError: no such dimension.

    Example:
        >>> F.sum(Tensor([[1, 2], [3, 4]]), axis=0)
        Tensor([4 6], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    return reduced(reduce.sum, inp, axis, keepdims)


def prod(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Product over dimensions. Integers keep their dtype (and wrap), bools give int32.

    Args:
        inp: input.
        axis: one dimension, several, or None for all.
        keepdims: keep the reduced dimensions with size 1; needs ``axis``.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, or a dimension named twice.
        RuntimeError: no such dimension.

    Example:
        >>> F.prod(Tensor([[1, 2], [3, 4]]), axis=0)
        Tensor([3 8], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    return reduced(reduce.prod, inp, axis, keepdims)


def mean(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Mean over dimensions, float32 whatever the input's dtype.

    Args:
        inp: input.
        axis: one dimension, several, or None for all.
        keepdims: keep the reduced dimensions with size 1; needs ``axis``.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, or a dimension named twice.
        RuntimeError: no such dimension.

    Example:
        >>> F.mean(Tensor([[1, 2], [3, 4]]), axis=0)
        Tensor([2. 3.], device=xpux:0)
    """
    inp = tensor_of(inp)
    return reduced(reduce.mean, inp, axis, keepdims)


def var(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Variance ``mean((x - mean(x)) ** 2)``, float32 whatever the input's dtype.

    Args:
        inp: input.
        axis: one dimension, several, or None for all.
        keepdims: keep the reduced dimensions with size 1; needs ``axis``.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, or a dimension named twice.
        RuntimeError: no such dimension.

    Example:
        >>> F.var(Tensor([[1.0, 2.0], [3.0, 6.0]]), axis=0)
        Tensor([1. 4.], device=xpux:0)
    """
    inp = tensor_of(inp)
    return reduced(reduce.var, inp, axis, keepdims)


def std(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Standard deviation, the square root of :func:`var`.

    Args:
        inp: input.
        axis: one dimension, several, or None for all.
        keepdims: keep the reduced dimensions with size 1; needs ``axis``.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, or a dimension named twice.
        RuntimeError: no such dimension.

    Example:
        >>> F.std(Tensor([[1.0, 2.0], [3.0, 6.0]]), axis=0)
        Tensor([1. 2.], device=xpux:0)
    """
    inp = tensor_of(inp)
    return reduced(reduce.std, inp, axis, keepdims)


def min(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Minimum over dimensions. Each of several smallest elements gets the full gradient.

    Args:
        inp: input.
        axis: one dimension, several, or None for all.
        keepdims: keep the reduced dimensions with size 1; needs ``axis``.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, or a dimension named twice.
        RuntimeError: no such dimension.

    Example:
        >>> F.min(Tensor([[1, 2], [3, 0]]), axis=0)
        Tensor([1 0], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    return reduced(reduce.min, inp, axis, keepdims)


def max(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Maximum over dimensions. Each of several largest elements gets the full gradient.

    Args:
        inp: input.
        axis: one dimension, several, or None for all.
        keepdims: keep the reduced dimensions with size 1; needs ``axis``.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, or a dimension named twice.
        RuntimeError: no such dimension.

    Example:
        >>> F.max(Tensor([[1, 2], [3, 0]]), axis=0)
        Tensor([3 2], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    return reduced(reduce.max, inp, axis, keepdims)


def argmin(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Index of the smallest element, the first of several.

    Args:
        inp: input.
        axis: dimension; None counts through all elements in order.
        keepdims: keep the reduced dimension with size 1; needs ``axis``.

    Returns:
        int32 indices.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, no such dimension, or one named twice.

    Example:
        >>> F.argmin(Tensor([[3, 1, 2], [4, 5, 0]]), axis=1)
        Tensor([1 2], dtype=int32, device=xpux:0)
    """
    return _arg(reduce.argmin, inp, axis, keepdims)


def argmax(inp: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Index of the largest element, the first of several.

    Args:
        inp: input.
        axis: dimension; None counts through all elements in order.
        keepdims: keep the reduced dimension with size 1; needs ``axis``.

    Returns:
        int32 indices.

    Raises:
        AssertionError: ``keepdims`` without ``axis``, no such dimension, or one named twice.

    Example:
        >>> F.argmax(Tensor([[3, 1, 2], [4, 5, 0]]), axis=1)
        Tensor([0 1], dtype=int32, device=xpux:0)
    """
    return _arg(reduce.argmax, inp, axis, keepdims)


def _arg(op: Any, inp: Tensor, axis: Axis, keepdims: bool) -> Any:
    """Several axes are searched one after the other, from the last, as in the reference."""
    require_tensor(inp, "inp")
    if axis is None:
        if keepdims:
            raise AssertionError(f"{op.name}: keepdims=True needs an axis")
        return apply(op, inp, axis=None, keepdims=False)
    if isinstance(axis, int) and not -inp.ndim <= axis < inp.ndim:
        raise AssertionError(f"{op.name}: axis {axis} is out of range for shape {inp.shape}")
    for one in reversed(_axes.reduction_axes(axis, inp.ndim, op.name) or ()):
        inp = apply(op, inp, axis=one, keepdims=bool(keepdims))
    return inp


def cumsum(inp: Tensor, axis: int) -> Tensor:
    """Cumulative sum along a dimension. A scalar counts as a vector of one element.

    Args:
        inp: input.
        axis: the dimension.

    Raises:
        RuntimeError: no such dimension.

    Example:
        >>> F.cumsum(Tensor([1, 2, 3]), 0)
        Tensor([1 3 6], dtype=int32, device=xpux:0)
    """
    inp = vector_of(inp)
    return apply(reduce.cumsum, inp, axis=_axes.one_axis(axis, inp.ndim, "cumsum"))
