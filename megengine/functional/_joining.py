"""Joining tensors, cutting them up, and repeating them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.errors import ArgumentError
from ..graph.host_data import as_constant
from ..ops import elemwise
from ..ops import shape as ops
from ..tensor import Tensor
from ..tensor import axes as _axes
from ._args import tensor_of, vector_of


def _tensors(name: str, inps: Any, device: Any = None) -> tuple[Tensor, ...]:
    if isinstance(inps, Tensor) and inps.ndim:
        inps = list(inps)
    if not isinstance(inps, (list, tuple)) or not inps:
        raise ArgumentError(f"{name} takes a list of one or more tensors, not {inps!r}")
    others = tuple(x for x in inps if isinstance(x, Tensor))
    found = []
    for k, x in enumerate(inps):
        if not isinstance(x, Tensor):
            try:
                x = as_constant(x, others)
            except ArgumentError as error:
                raise type(error)(f"{name}: element {k}: {error}") from None
        found.append(x)
    return tuple(found) if device is None else tuple(copy(x, device) for x in found)


def _axis(name: str, axis: Any, ndim: int) -> int:
    if isinstance(axis, (Tensor, np.ndarray)) and (axis.ndim or axis.dtype.kind == "f"):
        raise ArgumentError(f"{name} takes a list of tensors, {name}([a, b]), and then an axis, which is an integer")
    return _axes.one_axis(axis, ndim, name)


def concat(inps: Sequence[Tensor], axis: int = 0, device: Any = None) -> Tensor:
    """Concatenation along an existing dimension; dtypes are promoted. Scalars count as vectors of one element.

    Args:
        inps: tensors, arrays or numbers whose shapes differ at most along ``axis``; of a tensor, its rows.
        axis: the dimension.
        device: where the result is, the inputs being brought there; default where the inputs are.

    Raises:
        TypeError: not tensors or numbers, or none.
        RuntimeError: shapes do not fit, or no such dimension.

    Example:
        >>> F.concat([Tensor([1, 2]), Tensor([3])])
        Tensor([1 2 3], dtype=int32, device=xpux:0)
    """
    xs = _tensors("concat", inps, device)
    return apply(ops.concat, *xs, axis=_axis("concat", axis, max(xs[0].ndim, 1)))


def stack(inps: Sequence[Tensor], axis: int = 0, device: Any = None) -> Tensor:
    """Stacking along a new dimension; dtypes are promoted. Of several, scalars count as vectors of one element, as in MegEngine.

    Args:
        inps: tensors or arrays of one shape; of a tensor, its rows.
        axis: where the new dimension is.
        device: where the result is; default where the inputs are.

    Raises:
        TypeError: not tensors or numbers, or none.
        RuntimeError: different shapes, or out of range.

    Example:
        >>> F.stack([Tensor([1, 2]), Tensor([3, 4])])
        Tensor([[1 2]
         [3 4]], dtype=int32, device=xpux:0)
    """
    xs = _tensors("stack", inps, device)
    if len(xs) > 1:
        xs = tuple(map(vector_of, xs))
    return apply(ops.stack, *xs, axis=_axis("stack", axis, xs[0].ndim + 1))


def split(inp: Tensor, nsplits_or_sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Split into parts along a dimension.

    Args:
        inp: input.
        nsplits_or_sections: number of parts, as equal as possible and the larger ones first; or where to cut.
        axis: the dimension.

    Raises:
        ValueError: more parts than elements, or places to cut that do not increase, or lie outside.
        IndexError: no such dimension.

    Example:
        >>> F.split(Tensor([1, 2, 3]), 2)
        (Tensor([1 2], dtype=int32, device=xpux:0), Tensor([3], dtype=int32, device=xpux:0))
    """
    inp = tensor_of(inp)
    axis = _axes.as_int(axis, "axis")
    if not -inp.ndim <= axis < inp.ndim:
        raise IndexError(f"split: axis {axis} is out of range for shape {inp.shape}")
    axis %= inp.ndim
    size = inp.shape[axis]
    if isinstance(nsplits_or_sections, (list, tuple)):
        points = tuple(_axes.as_int(p, "each place to cut") for p in nsplits_or_sections)
        if any(a > b for a, b in itertools.pairwise((0, *points, size))):
            raise ValueError(f"Invalid nsplits_or_secions: {[*points]}")  # word for word, misspelling included
    else:
        parts = _axes.as_int(nsplits_or_sections, "nsplits_or_sections")
        if parts < 1 or 0 < size < parts:
            raise ValueError(f"split: {size} elements along axis {axis} cannot make {parts} parts")
        points = _even(size, parts)
    return apply(ops.split, inp, points=points, axis=axis)


def _even(size: int, parts: int) -> tuple[int, ...]:
    small, larger = divmod(size, parts)
    return tuple(k * small + min(k, larger) for k in range(1, parts))


def tile(inp: Tensor, reps: Iterable[int]) -> Tensor:
    """Tiling: copies of the whole tensor side by side.

    Args:
        inp: input.
        reps: how many copies along each dimension; may name leading dimensions that the input lacks.

    Raises:
        AssertionError: fewer numbers than dimensions.
        RuntimeError: a negative number.

    Example:
        >>> F.tile(Tensor([1, 2]), (2, 2))
        Tensor([[1 2 1 2]
         [1 2 1 2]], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    counts = _axes.as_shape(reps, "reps")
    if any(n < 0 for n in counts):
        raise RuntimeError(f"tile: negative numbers of copies: {counts}")
    return apply(ops.tile, inp, reps=counts)


def repeat(inp: Tensor, repeats: int, axis: int | None = None) -> Tensor:
    """Repetition of each element along a dimension.

    Args:
        inp: input.
        repeats: how many times.
        axis: the dimension; None flattens first.

    Raises:
        AssertionError: no such dimension, or ``repeats`` below 1.

    Example:
        >>> F.repeat(Tensor([1, 2]), 2)
        Tensor([1 1 2 2], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    count = _axes.as_int(repeats, "repeats")
    if count < 1:
        raise AssertionError(f"repeat: repeats must be at least 1, not {count}")
    if axis is not None and not -inp.ndim <= axis < inp.ndim:
        raise AssertionError(f"repeat: axis {axis} is out of range for shape {inp.shape}")
    return apply(ops.repeat, inp, repeats=count, axis=axis)


def roll(inp: Tensor, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """Cyclic shift along a dimension: what leaves at the end enters at the start.

    Args:
        inp: input.
        shift: how far; with several dimensions one number for each.
        axis: the dimension or dimensions; None rolls through all elements in order.

    Raises:
        AssertionError: no such dimension, or not as many shifts as dimensions.

    Example:
        >>> F.roll(Tensor([1, 2, 3]), 1)
        Tensor([3 1 2], dtype=int32, device=xpux:0)
    """
    inp = tensor_of(inp)
    if axis is None:
        return apply(ops.roll, inp, shift=(_axes.as_int(shift, "shift"),), axes=None)
    single = [not isinstance(x, list | tuple) and np.ndim(x) == 0 for x in (shift, axis)]
    if single[0] != single[1]:
        error = AssertionError if single[0] else TypeError
        raise error(f"roll: shift {shift} and axis {axis} must both be numbers or both be sequences")
    shifts, axes = _axes.as_shape(shift, "shift"), _axes.as_shape(axis, "axis")
    if len(shifts) != len(axes):
        raise AssertionError(f"roll: {len(shifts)} shifts for {len(axes)} dimensions")
    for a in axes:
        if not -inp.ndim <= a < inp.ndim:
            raise AssertionError(f"roll: axis {a} is out of range for shape {inp.shape}")
    if not any(shifts):
        return inp
    return apply(ops.roll, inp, shift=shifts, axes=axes)


def copy(inp: Tensor, device: Any = None) -> Tensor:
    """Copy, on another device if one is named; differentiable.

    Args:
        inp: input.
        device: where; default where the input is.

    Example:
        >>> F.copy(Tensor([1, 2]), "cpu0")
        Tensor([1 2], dtype=int32, device=cpu0:0)
    """
    return apply(elemwise.copy, inp) if device is None else inp.to(device)
