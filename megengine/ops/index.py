"""Indexing, reading and writing.

The form of an index is static (``spec``, one entry a dimension or new axis) and its numbers are operands, so ``x[i]`` with a
changing ``i`` is one program:

    ``":"`` all; ``"n"`` new axis; ``"i"`` an int (scalar operand); ``("w", size)`` ``size`` elements from a scalar operand on;
    ``("s", start, stop, step)`` a strided slice; ``"a"`` an integer array (operand).
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from . import formats, quantized
from .bounds import within
from .conversion import convert
from .op import op


def _dims(spec):
    """Pairs of an entry that consumes a dimension, and that dimension."""
    axis = 0
    for entry in spec:
        if entry != "n":
            yield entry, axis
            axis += 1


def _starts(spec, numbers, ndim):
    """Start of the window in each dimension, and the arrays, from the operands in order."""
    starts, arrays, rest = [jnp.int32(0)] * ndim, [], iter(numbers)
    for entry, axis in _dims(spec):
        if entry == "i" or entry[0] == "w":
            starts[axis] = next(rest)
        elif entry == "a":
            arrays.append(next(rest))
    return starts, arrays


def _sizes(spec, shape):
    sizes = list(shape)
    for entry, axis in _dims(spec):
        if entry == "i":
            sizes[axis] = 1
        elif entry[0] == "w":
            sizes[axis] = entry[1]
    return sizes


def _static(spec, numbers):
    """A NumPy-style index tuple for what remains once windows are cut out."""
    index: list[Any] = []
    rest = iter(numbers)
    for entry in spec:
        if entry == "n":
            index.append(None)
        elif entry == ":":
            index.append(slice(None))
        elif entry[0] == "s":
            index.append(slice(*entry[1:]))
        elif entry[0] == "w":
            next(rest)
            index.append(slice(None))
        else:
            index.append(next(rest))
    return tuple(index)


def _has(spec, kind):
    return any(e == kind or e[0] == kind for e in spec)


@op(quantized=quantized.kept)
def getitem(x, *numbers, spec):
    if _has(spec, "a"):
        windows = tuple(":" if e == "i" else e for e in spec)
        takers = [e for e in spec if e in ("i", "a") or e[0] == "w"]
        numbers_of_windows = [n for e, n in zip(takers, numbers, strict=True) if e not in ("i", "a")]
        if _has(windows, "w"):
            only = tuple(":" if e == "a" else e for e in windows)
            starts, _ = _starts(only, numbers_of_windows, x.ndim)
            x = lax.dynamic_slice(x, starts, _sizes(only, x.shape))
        return x[_static(spec, numbers)]
    if _has(spec, "i") or _has(spec, "w"):
        starts, _ = _starts(spec, numbers, x.ndim)
        x = lax.dynamic_slice(x, starts, _sizes(spec, x.shape))
    return x[tuple(0 if e == "i" else i for e, i in zip(spec, _static(spec, numbers), strict=True))]


@op()
def setitem(x, value, *numbers, spec):
    value = convert(value, x.dtype)
    if _has(spec, "a") or _has(spec, "s"):
        index: list[Any] = []
        rest, axis = iter(numbers), 0
        for entry in spec:
            if entry == "n":
                index.append(None)
                continue
            if entry == ":":
                index.append(slice(None))
            elif entry[0] == "s":
                index.append(slice(*entry[1:]))
            elif entry[0] == "w":
                index.append(_Window(next(rest), entry[1], axis))
            else:
                index.append(next(rest))
            axis += 1
        return _set_through_windows(x, value, index)
    starts, _ = _starts(spec, numbers, x.ndim)
    sizes = _sizes(spec, x.shape)
    block = jnp.broadcast_to(value, _region_shape(spec, sizes)).reshape(sizes)
    return lax.dynamic_update_slice(x, block, starts)


class _Window:
    def __init__(self, start, size, axis):
        self.start, self.size, self.axis = start, size, axis


def _set_through_windows(x, value, index):
    windows = [w for w in index if isinstance(w, _Window)]
    plain = tuple(slice(None) if isinstance(w, _Window) else w for w in index)
    if not windows:
        return x.at[plain].set(value)
    starts, sizes = [jnp.int32(0)] * x.ndim, list(x.shape)
    for w in windows:
        starts[w.axis], sizes[w.axis] = w.start, w.size
    block = lax.dynamic_slice(x, starts, sizes).at[plain].set(value)
    return lax.dynamic_update_slice(x, block, starts)


def _region_shape(spec, sizes):
    """Shape that ``x[spec]`` has: ints dropped, new axes there."""
    shape, axis = [], 0
    for entry in spec:
        if entry == "n":
            shape.append(1)
            continue
        if entry != "i":
            shape.append(sizes[axis])
        axis += 1
    return tuple(shape)


def _picks_within(x, index, *rest, axis):
    return within(index, -x.shape[axis], x.shape[axis])


@op(valid=_picks_within, invalid="an index is out of range for dimension {axis}", quantized=quantized.kept)
def gather(x, index, *, axis):
    return jnp.take_along_axis(x, index, axis)


@op(valid=_picks_within, invalid="an index is out of range for dimension {axis}")
def scatter(x, index, source, *, axis):
    grid = list(jnp.indices(index.shape, sparse=True))
    grid[axis] = index
    return x.at[tuple(grid)].set(convert(source, x.dtype))


@op(quantized=quantized.kept)
def take(x, index):
    return x.reshape(-1)[index]


def _takes_within(x, index, *, axis, keepdims):
    return within(index, 0, x.shape[axis])


@op(valid=_takes_within, invalid="an index is out of range for dimension {axis}", formats=formats.dropped)
def take_along(x, index, *, axis, keepdims):
    picked = jnp.take_along_axis(x, jnp.expand_dims(index, axis), axis)
    return picked if keepdims else jnp.squeeze(picked, axis)


def _within_dimension(index, x, *, axis):
    index = index.astype("int32")
    return ((index >= -x.shape[axis]) & (index < x.shape[axis])).all()


def _within(index, *, size):
    return within(index, -size, size)


@op("index", differentiable=False, valid=_within, invalid="an index is out of range for a dimension of size {size}")
def wrap_negative(index, *, size):
    """Negative indices count from the end."""
    index = index.astype(jnp.int32)
    return jnp.where(index < 0, index + size, index)


@op("index_in", differentiable=False, valid=_within_dimension, invalid="an index is out of range for dimension {axis}")
def wrap_negative_in(index, x, *, axis):
    """Negative indices count from the end of a dimension."""
    index = index.astype(jnp.int32)
    return jnp.where(index < 0, index + x.shape[axis], index)
