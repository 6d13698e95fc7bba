"""The same elements in another shape or order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..graph.apply import apply
from ..graph.errors import ArgumentError
from ..graph.sized import apply_sized
from ..ops import shape as ops
from ..ops import sized
from ..tensor import Tensor
from ..tensor import axes as _axes
from ..tensor.graph_sizes import in_graph
from ._args import require_tensor, tensor_of


def reshape(inp: Tensor, target_shape: Any) -> Tensor:
    """Reshape: the same elements in another shape.

    Args:
        inp: input.
        target_shape: sizes; one may be -1 and is then computed.

    Raises:
        RuntimeError: the number of elements differs.

    Example:
        >>> F.reshape(Tensor([[1, 2], [3, 4]]), (4,))
        Tensor([1 2 3 4], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    return inp.reshape(target_shape)


def flatten(inp: Tensor, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """Flattening: dimensions ``start_axis`` to ``end_axis`` become one.

    Args:
        inp: input.
        start_axis: first dimension to join.
        end_axis: last dimension to join.

    Raises:
        RuntimeError: no such dimension.

    Example:
        >>> F.flatten(F.zeros((2, 3, 4)), 1).shape
        (2, 12)
    """
    inp = tensor_of(inp)
    return (inp if isinstance(inp, Tensor) else Tensor(inp)).flatten(start_axis, end_axis)


def transpose(inp: Tensor, pattern: Iterable[int | str]) -> Tensor:
    """Permutation of dimensions.

    Args:
        inp: input.
        pattern: for each dimension of the result, which one of the input it is, or ``"x"`` for a new one of size 1.

    Raises:
        RuntimeError: the pattern is not a permutation.

    Example:
        >>> F.transpose(F.zeros((2, 3)), (1, "x", 0)).shape
        (3, 1, 2)
    """
    inp = tensor_of(inp)
    return inp.transpose(pattern)


def swapaxes(inp: Tensor, axis1: int, axis2: int) -> Tensor:
    """Exchange of two dimensions.

    Args:
        inp: input.
        axis1: one dimension.
        axis2: the other.

    Raises:
        IndexError: no such dimension.

    Example:
        >>> F.swapaxes(F.zeros((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """
    inp = tensor_of(inp)
    axis1, axis2 = _axes.as_int(axis1, "axis1"), _axes.as_int(axis2, "axis2")
    pattern = list(range(inp.ndim))
    for axis in (axis1, axis2):
        if not -inp.ndim <= axis < inp.ndim:
            raise IndexError(f"swapaxes: axis {axis} is out of range for shape {inp.shape}")
    pattern[axis1], pattern[axis2] = pattern[axis2], pattern[axis1]
    return inp.transpose(pattern)


def broadcast_to(inp: Tensor, shape: Any) -> Tensor:
    """Broadcast: repetition along dimensions of size 1 and along new leading ones.

    Args:
        inp: input.
        shape: the shape wanted; None keeps the size that the input has there.

    Raises:
        TypeError: ``inp`` is not a tensor.
        RuntimeError: the shape does not fit.
        ValueError: a negative size, or None for a dimension that the input does not have.

    Example:
        >>> F.broadcast_to(Tensor([1, 2]), (2, 2))
        Tensor([[1 2]
         [1 2]], dtype=int32, device=xpux:0)
    """
    require_tensor(inp, "inp")
    if isinstance(shape, (tuple, list)) and any(n is None for n in shape):
        shape = _kept_sizes(inp.shape, shape)
    sizes = in_graph(shape)
    if sizes is not None:
        return apply_sized(sized.broadcast_by, inp, sizes, at_most=inp.shape)  # type: ignore[no-any-return]
    target = _axes.as_shape(shape)
    if any(n < 0 for n in target):
        raise ArgumentError(f"broadcast_to: the sizes of a shape cannot be negative: {target}")
    return apply(ops.broadcast_to, inp, shape=target)


def _kept_sizes(have: tuple[int, ...], shape: Sequence[Any]) -> list[Any]:
    """A shape in which None has become the input's size."""
    first = len(shape) - len(have)
    for k, n in enumerate(shape):
        if n is None and k < first:
            raise ArgumentError(
                f"broadcast_to: entry {k} of {tuple(shape)} is None, but the input of shape {have} ends there"
            )
    return [have[k - first] if n is None else n for k, n in enumerate(shape)]


def expand_dims(inp: Tensor, axis: int | Sequence[int]) -> Tensor:
    """Insertion of dimensions of size 1.

    Args:
        inp: input.
        axis: where they are in the result.

    Raises:
        RuntimeError: out of range.

    Example:
        >>> F.expand_dims(F.zeros((2, 3)), (0, -1)).shape
        (1, 2, 3, 1)
    """
    inp = tensor_of(inp)
    axes = (axis,) if not isinstance(axis, (list, tuple)) else tuple(axis)
    total = inp.ndim + len(axes)
    wanted = sorted(_axes.one_axis(a, total, "expand_dims") for a in axes)
    if len({*wanted}) == len(wanted):
        return apply(ops.expand_dims, inp, axes=tuple(wanted))
    for each in wanted:  # one after the other, as the reference inserts them
        inp = apply(ops.expand_dims, inp, axes=(each,))
    return inp


def squeeze(inp: Tensor, axis: int | Sequence[int] | None = None) -> Tensor:
    """Removal of dimensions of size 1.

    Args:
        inp: input.
        axis: which ones; None for all.

    Raises:
        RuntimeError: a dimension of another size, or out of range.

    Example:
        >>> F.squeeze(F.zeros((1, 3, 1)), 0).shape
        (3, 1)
    """
    inp = tensor_of(inp)
    if axis is None:
        axes = tuple(k for k, n in enumerate(inp.shape) if n == 1)
    else:
        given = (axis,) if not isinstance(axis, (list, tuple)) else axis
        axes = tuple(_axes.one_axis(a, inp.ndim, "squeeze") for a in given)
        for a in axes:
            if inp.shape[a] != 1:
                raise RuntimeError(f"squeeze: dimension {a} of shape {inp.shape} has size {inp.shape[a]}, not 1")
    return apply(ops.squeeze, inp, axes=axes)
