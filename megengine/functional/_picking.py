"""Choosing elements by condition or by index, and sums along a dimension."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.errors import BadIndexError
from ..graph.host_data import as_constant
from ..graph.sized import apply_sized, keeps_sizes, read_for_size
from ..ops import elemwise, sized
from ..ops import index as ops
from ..tensor import Tensor
from ..tensor import axes as _axes
from ..tensor.bounds import outside
from ..tensor.indexing import axes_of
from ._args import index_of, require_tensor, tensor_of
from ._joining import stack


def _require_mask(mask: Tensor) -> None:
    require_tensor(mask, "mask")
    if mask.dtype != np.bool_:
        raise ValueError(f"mask must be bool, not {np.dtype(mask.dtype).name}")


def where(mask: Any, x: Tensor | float, y: Tensor | float) -> Tensor:
    """Selection by a mask: ``x`` where it is true, ``y`` elsewhere.

    Args:
        mask: bools, as a tensor or an array.
        x: tensor or number, broadcasting with the mask.
        y: tensor or number, broadcasting with the mask.

    Raises:
        TypeError: the mask is no tensor or array.
        ValueError: the mask is not bool.
        RuntimeError: shapes do not broadcast.

    Example:
        >>> F.where(Tensor([True, False]), Tensor([1.0, 2.0]), 0.0)
        Tensor([1. 0.], device=xpux:0)
    """
    if isinstance(mask, (np.ndarray, np.bool_, list, bool)):
        mask = as_constant(mask)
    _require_mask(mask)
    return apply(elemwise.where, mask, x, y)


def cond_take(mask: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Elements where a mask is true, in order. The mask is read, so what is pending runs first.

    Args:
        mask: bools of the shape of ``x``.
        x: input.

    Returns:
        The elements as a vector, differentiable, and their int32 indices into the flattened input.

    Raises:
        TypeError: an argument is not a tensor.
        ValueError: the mask is not bool.
        RuntimeError: the shapes differ.

    Example:
        >>> F.cond_take(Tensor([True, False, True]), Tensor([1.0, 2.0, 3.0]))
        (Tensor([1. 3.], device=xpux:0), Tensor([0 2], dtype=int32, device=xpux:0))
    """
    require_tensor(x, "x")
    _require_mask(mask)
    if mask.shape != x.shape:
        raise RuntimeError(f"cond_take: the mask has shape {mask.shape}, x has {x.shape}")
    if keeps_sizes(mask, x):
        index = apply_sized(sized.true_places, mask, at_most=prod(mask.shape))
    else:
        index = as_constant(np.flatnonzero(read_for_size("cond_take", mask)).astype(np.int32))
    return apply(ops.take, x, index), index


def non_zero(condition: Tensor, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
    """Indices of the elements that are not zero. The elements are read, so what is pending runs first.

    Args:
        condition: input.
        as_tuple: one vector of indices for each dimension instead of one matrix.

    Returns:
        int32 indices: ``(count, ndim)``, or a tuple of ``ndim`` vectors.

    Raises:
        RuntimeError: a scalar, which has no indices.

    Example:
        >>> F.non_zero(Tensor([[0, 1], [2, 0]]))
        Tensor([[0 1]
         [1 0]], dtype=int32, device=xpux:0)
    """
    require_tensor(condition, "condition")
    if not condition.ndim:
        raise RuntimeError("non_zero takes a tensor of at least one dimension, not a scalar")
    if keeps_sizes(condition):
        return _places(condition, as_tuple)
    found = np.nonzero(read_for_size("non_zero", condition))
    if as_tuple:
        return tuple(Tensor(f.astype(np.int32)) for f in found)
    return Tensor(np.stack(found, 1).astype(np.int32))


def _places(condition: Tensor, as_tuple: bool) -> Any:
    """The indices as ops of a graph."""
    flat = apply_sized(sized.true_places, condition != 0, at_most=prod(condition.shape))
    found = axes_of(flat, condition)
    return found if as_tuple else stack(list(found), 1)


def gather(inp: Tensor, axis: int, index: Tensor) -> Tensor:
    """Gather along a dimension: ``out[i][j] = inp[index[i][j]][j]`` for ``axis`` 0, and so on.

    Args:
        inp: input.
        axis: the dimension.
        index: int32 indices with as many dimensions as the input, and no larger in any other than ``axis``.

    Returns:
        A tensor of the index's shape.

    Raises:
        ValueError: different numbers of dimensions.
        IndexError: an index out of range; for one that is still to be computed, when something is read.
        RuntimeError: indices that are not integers, no such dimension, or an index tensor that is too large.

    Example:
        >>> F.gather(Tensor([[1, 2], [3, 4]]), 1, Tensor([[1], [0]]))
        Tensor([[2]
         [3]], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    index = index_of(index)
    if inp.ndim != index.ndim:
        raise ValueError(
            f"gather: the input has shape {inp.shape}, the index {index.shape}; both need as many dimensions"
        )
    axis = _axes.one_axis(axis, inp.ndim, "gather")
    _check_range("gather", index, inp.shape[axis], axis)
    return apply(ops.gather, inp, index, axis=axis)


def _check_range(name: str, index: Tensor, size: int, axis: int) -> None:
    wrong = outside(index, -size, size)
    if wrong is not None:
        raise BadIndexError(f"{name}: index {wrong} is out of range for dimension {axis} of size {size}")


def scatter(inp: Tensor, axis: int, index: Tensor, source: Tensor) -> Tensor:
    """Scatter along a dimension, in place: ``inp[index[i][j]][j] = source[i][j]`` for ``axis`` 0, and so on.

    Args:
        inp: the tensor that is changed.
        axis: the dimension.
        index: int32 indices of the shape of ``source``.
        source: values with as many dimensions as ``inp``, and no larger.

    Returns:
        ``inp`` itself.

    Raises:
        ValueError: shapes do not fit.

    Example:
        >>> F.scatter(F.zeros((2, 2)), 1, Tensor([[1], [0]]), Tensor([[5.0], [6.0]]))
        Tensor([[0. 5.]
         [6. 0.]], device=xpux:0)
    """
    require_tensor(inp, "inp")
    index = index_of(index)
    if not isinstance(source, Tensor):
        source = as_constant(source, (inp,))
    if not inp.ndim == index.ndim == source.ndim:
        raise ValueError(f"scatter: shapes {inp.shape}, {index.shape} and {source.shape} need as many dimensions")
    if any(s > n for s, n in zip(source.shape, inp.shape, strict=True)):
        raise ValueError(f"scatter: source of shape {source.shape} is larger than the input of shape {inp.shape}")
    if index.shape != source.shape:
        raise ValueError(f"scatter: index has shape {index.shape}, source {source.shape}")
    axis = _axes.one_axis(axis, inp.ndim, "scatter")
    _check_range("scatter", index, inp.shape[axis], axis)
    inp._reset(apply(ops.scatter, inp, index, source, axis=axis))
    return inp
