"""``x[...]`` and ``x[...] = v``: an index becomes a static form and operands (see :mod:`megengine.ops.index`)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.errors import ArgumentError, BadIndexError, RangeError
from ..graph.host_data import as_constant, checked_for, host_value, to_array
from ..graph.sized import apply_sized, keeps_sizes, read_for_size
from ..graph.source import warn_once
from ..graph.value import Handle, new_handle
from ..ops import elemwise, sized
from ..ops import index as ops
from ..ops.shape import reshape
from .bounds import outside

_ALL = slice(None)


def getitem(x: Any, index: Any) -> Any:
    """The elements an index names.

    Raises:
        BadIndexError: an int or a host array out of range, too many indices, a mask of another shape, or a mask of one dimension
            that is True beyond that of the tensor.
    """
    if index is False:
        return getitem(getitem(x, None), slice(0, 0))
    shape = x._value.aval.shape
    if type(index) is int and shape and not keeps_sizes(x):  # as a loop over a tensor has it
        return apply(ops.getitem, x, _in_range(index, shape[0], 0), spec=("i", *":" * (len(shape) - 1)))
    spec, numbers = _plan(x, index)
    if all(e == ":" for e in spec):
        return apply(elemwise.copy, x)
    return apply(ops.getitem, x, *numbers, spec=spec)


def _is_whole(entry: Any) -> bool:
    # A bound may be a tensor, which compares by value.
    return isinstance(entry, slice) and entry.start is None and entry.stop is None and entry.step is None


def setitem(x: Any, index: Any, value: Any) -> Any:
    """The tensor that ``x`` is after ``x[index] = value``.

    Raises:
        BadIndexError: as in reading.
        ArgumentError: the value is not numbers, or its shape does not broadcast to the region.
    """
    value = _assignable(x, value)
    shape = value._value.aval.shape if isinstance(value, Handle) else ()
    mask = _pending_mask(x, index) if shape in ((), (1,)) else None
    if mask is not None:
        filled = apply(elemwise.cast, value, dtype=np.dtype(x.dtype))
        return apply(elemwise.where, mask, filled, x)
    spec, numbers = _plan(x, index)
    if shape == (1,) and _names_one(spec, numbers):
        value = apply(reshape, value, shape=())
    try:
        return apply(ops.setitem, x, value, *numbers, spec=spec)
    except RangeError:
        raise
    except RuntimeError:
        known = x._value.aval.shape
        raise ArgumentError(
            f"cannot assign a value of shape {shape} to {_show(index)} of a tensor of shape {known}"
        ) from None


def _names_one(spec: tuple[Any, ...], numbers: list[Any]) -> bool:
    """Whether an index names one element, which takes a value of shape (1,), too."""
    return set(spec) <= {"i", "a"} and not any(isinstance(n, Handle) and n._value.aval.ndim for n in numbers)


def _assignable(x: Any, value: Any) -> Any:
    """What is assigned to elements of ``x``: host data are converted to its dtype at once."""
    if isinstance(value, Handle):
        return value
    dtype = x._value.aval.dtype
    if type(value) in (bool, int, float):
        return checked_for(value, dtype)
    if dtype.metadata is not None:
        return as_constant(value)
    return new_handle(host_value(to_array(value, dtype), x._value.device))


def _pending_mask(x: Any, index: Any) -> Any:
    """The mask that broadcasts to ``x``, for an index of one mask tensor and full slices; None for any other.

    One number goes under such a mask without its values being looked at first.
    """
    entries = index if isinstance(index, tuple) else (index,)
    if not all(isinstance(e, Handle) or e is Ellipsis or _is_whole(e) for e in entries):
        return None
    masks = [e for e in entries if isinstance(e, Handle)]
    if len(masks) != 1 or masks[0].dtype != np.bool_:  # type: ignore[attr-defined]
        return None
    known = masks[0]._value.aval.shape
    shape = x._value.aval.shape
    if not known or sum(map(_consumes, entries)) > len(shape):
        return None
    axis = next(k for k, e in enumerate(_expanded(index, len(shape), shape)) if e is masks[0])
    if shape[axis : axis + len(known)] != known:
        return None
    behind = (1,) * (len(shape) - axis - len(known))
    return apply(reshape, masks[0], shape=known + behind) if behind else masks[0]


def _plan(x: Any, index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    shape = x._value.aval.shape
    spec: list[Any] = []
    numbers: list[Any] = []
    axis = 0
    kept = keeps_sizes(x)  # then for tensors of other sizes too
    for entry in _expanded(index, len(shape), shape):
        if entry is None:
            spec.append("n")
            continue
        size = shape[axis]
        if isinstance(entry, slice):
            form, number = _slice_of_any_size(entry, size) if kept else _slice(entry, size)
            spec.append(form)
            numbers += number
            axis += 1
        elif isinstance(entry, (int, np.integer)) and not isinstance(entry, (bool, np.bool_)):
            spec.append("i")
            at = _in_range(int(entry), size, axis)
            numbers.append(_from_end(as_constant(np.int32(entry)), x, axis) if kept and entry < 0 else at)
            axis += 1
        else:
            for array in _arrays(entry, shape[axis:], axis, x if kept else None):
                spec.append("a")
                numbers.append(array)
                axis += 1
    return tuple(spec), numbers


def _expanded(index: Any, ndim: int, shape: tuple[int, ...]) -> list[Any]:
    """The index as a list with one entry a dimension, ellipsis spelled out."""
    entries = [_scalar_mask(e) for e in (index if isinstance(index, tuple) else (index,))]
    used = sum(_consumes(e) for e in entries)
    if used > ndim:
        raise BadIndexError(f"{used} indices for a tensor of {ndim} dimensions, shape {shape}")
    dots = [k for k, e in enumerate(entries) if e is Ellipsis]
    if len(dots) > 1:
        raise BadIndexError("an index can hold one ellipsis")
    at = dots[0] if dots else len(entries)
    entries[at : at + 1] = [_ALL] * (ndim - used)
    return entries


def _scalar_mask(entry: Any) -> Any:
    """True selects everything along a new dimension; other entries are themselves."""
    if isinstance(entry, Handle):
        known = entry._value.aval
        if known.ndim or known.dtype != np.bool_:
            return entry
        entry = entry.item()  # type: ignore[attr-defined]
    if isinstance(entry, (bool, np.bool_)) or (
        isinstance(entry, np.ndarray) and entry.dtype == np.bool_ and not entry.ndim
    ):
        if not entry:
            raise BadIndexError("False is an index only alone, as in x[False]")
        return None
    return entry


def _consumes(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    if isinstance(entry, Handle) and entry.dtype == np.bool_:  # type: ignore[attr-defined]
        return max(entry._value.aval.ndim, 1)
    if isinstance(entry, (list, np.ndarray)) and np.asarray(entry).dtype == np.bool_:
        return max(np.asarray(entry).ndim, 1)
    return 1


def _slice(entry: slice, size: int) -> tuple[Any, list[Any]]:
    parts = [p.item() if isinstance(p, Handle) else p for p in (entry.start, entry.stop, entry.step)]  # type: ignore[attr-defined]
    try:
        start, stop, step = slice(*parts).indices(size)
    except (TypeError, ValueError) as error:
        raise BadIndexError(f"{_show(entry)}: {error}") from None
    count = len(range(start, stop, step))
    if step == 1:
        return (":", []) if count == size else (("w", count), [start if count else 0])
    return ("s", start, None if step < 0 and stop < 0 else stop, step), []


def _slice_of_any_size(entry: slice, size: int) -> tuple[Any, list[Any]]:
    """A slice as it is written, which a tensor of another size takes from its own ends."""
    parts = [p.item() if isinstance(p, Handle) else p for p in (entry.start, entry.stop, entry.step)]  # type: ignore[attr-defined]
    try:
        slice(*parts).indices(size)
    except (TypeError, ValueError) as error:
        raise BadIndexError(f"{_show(entry)}: {error}") from None
    if parts == [None, None, None]:
        return ":", []
    return ("s", *(None if p is None else int(p) for p in parts)), []


def _from_end(index: Any, x: Any, axis: int) -> Any:
    """Indices of which negative ones count from the end of a dimension."""
    return apply(ops.wrap_negative_in, index, x, axis=axis)


def _in_range(number: int, size: int, axis: int) -> int:
    if not -size <= number < size:
        raise BadIndexError(f"index {number} is out of range for dimension {axis} of size {size}")
    return number % size


def _arrays(entry: Any, sizes: tuple[int, ...], axis: int, of: Any) -> list[Any]:
    """Integer arrays that an advanced entry stands for; a mask is read and becomes one for each of its dimensions.

    Args:
        entry: of the index.
        sizes: of this dimension and those behind it.
        axis: the dimension.
        of: the tensor, where its sizes may be others when the graph runs.
    """
    if isinstance(entry, Handle):
        if entry.dtype != np.bool_:  # type: ignore[attr-defined]
            if np.dtype(entry.dtype).kind not in "iu":  # type: ignore[attr-defined]
                raise BadIndexError(f"a tensor of dtype {entry.dtype} cannot be an index; use integers or bools")  # type: ignore[attr-defined]
            wrong = outside(entry, -sizes[0], sizes[0])
            if wrong is not None:
                raise BadIndexError(f"index {wrong} is out of range for dimension {axis} of size {sizes[0]}")
            return [apply(ops.wrap_negative, entry, size=sizes[0]) if of is None else _from_end(entry, of, axis)]
        if keeps_sizes(entry):
            return _places_kept(entry, sizes, axis)
        entry = read_for_size("an index", entry)
    array = np.asarray(entry)
    if array.dtype == np.bool_:
        if array.ndim == 1 and len(array) != sizes[0]:
            return [as_constant(_places_of(array, sizes[0], axis))]
        if array.shape != sizes[: array.ndim]:
            fitting = sizes[: array.ndim]
            raise BadIndexError(
                f"a mask of shape {array.shape} does not fit dimensions {fitting} (from dimension {axis})"
            )
        return [as_constant(a.astype(np.int32)) for a in np.nonzero(array)]
    if array.size == 0:
        array = array.astype(np.int32)
    if array.dtype.kind not in "iu":
        raise BadIndexError(f"{_show(entry)} cannot be an index; use integers, slices, bools, None or ...")
    if array.size and not (-sizes[0] <= int(array.min()) and int(array.max()) < sizes[0]):
        raise BadIndexError(f"an index in {_show(entry)} is out of range for dimension {axis} of size {sizes[0]}")
    return [as_constant(np.where(array < 0, array + sizes[0], array).astype(np.int32))]


def _places_kept(mask: Any, sizes: tuple[int, ...], axis: int) -> list[Any]:
    """Of a mask in a graph that is kept: ops that find where it is true."""
    shape = mask._value.aval.shape
    if shape != sizes[: len(shape)]:
        raise BadIndexError(
            f"a mask of shape {shape} does not fit dimensions {sizes[: len(shape)]} (from dimension {axis})"
        )
    return list(axes_of(apply_sized(sized.true_places, mask, at_most=prod(shape)), mask))


def axes_of(places: Any, of: Any) -> tuple[Any, ...]:
    """Indices along each dimension of a tensor, of indices into its flattened form."""
    ndim = of._value.aval.ndim
    return (places,) if ndim == 1 else tuple(apply(sized.place_along, places, of, axis=k) for k in range(ndim))


def _places_of(mask: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Where a mask of another length than its dimension is True; MegEngine takes it so."""
    places = np.flatnonzero(mask).astype(np.int32)
    if places.size and places[-1] >= size:
        raise BadIndexError(
            f"a mask of length {len(mask)} is True at {places[-1]}, which dimension {axis} of size {size} does not have"
        )
    warn_once(
        "mask",
        f"a mask of length {len(mask)} indexes dimension {axis} of size {size}: only the places where it is True count",
    )
    return places


def _show(index: Any) -> str:
    text = repr(index) if not isinstance(index, Handle) else f"an index tensor of shape {index._value.aval.shape}"
    return text if len(text) < 80 else text[:77] + "..."
