"""Data movement: shapes, slices, padding and joining."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .rules import Equation, Run, rule


@rule("broadcast_in_dim")
def broadcast_in_dim(eqn: Equation) -> Run:
    """A view, whose repeated dimensions have stride 0."""
    source, shape = eqn.invars[0].aval.shape, tuple(eqn.params["shape"])
    sizes = [1] * len(shape)
    for dimension, size in zip(eqn.params["broadcast_dimensions"], source, strict=True):
        sizes[dimension] = size
    middle = tuple(sizes)
    if middle == shape:
        return (lambda x: x) if source == shape else lambda x: x.reshape(shape)
    item = eqn.invars[0].aval.dtype.itemsize
    packed = [item * int(np.prod(middle[k + 1 :], dtype=np.int64)) for k in range(len(middle))]
    strides = tuple(0 if m == 1 and n != 1 else s for m, n, s in zip(middle, shape, packed, strict=True))
    if 0 in shape:
        return lambda x: np.empty(shape, x.dtype)

    def run(x: Any) -> Any:
        if x.flags.c_contiguous:  # the constructor is several times quicker than broadcast_to
            view = np.ndarray(shape, x.dtype, x, 0, strides)
            view.flags.writeable = False
            return view
        return np.broadcast_to(x.reshape(middle), shape)

    return run


@rule("reshape", "squeeze", "expand_dims")
def reshape(eqn: Equation) -> Run:
    shape = eqn.outvars[0].aval.shape
    order = eqn.params.get("dimensions") if eqn.primitive.name == "reshape" else None
    if order is not None:
        return lambda x: x.transpose(order).reshape(shape)
    return lambda x: x.reshape(shape)


@rule("transpose")
def transpose(eqn: Equation) -> Run:
    permutation = tuple(eqn.params["permutation"])
    return lambda x: x.transpose(permutation)


@rule("rev")
def rev(eqn: Equation) -> Run:
    reversed_ = eqn.params["dimensions"]
    index = tuple(slice(None, None, -1 if k in reversed_ else 1) for k in range(eqn.invars[0].aval.ndim))
    return lambda x: x[index]


@rule("slice")
def slice_(eqn: Equation) -> Run:
    starts, limits, strides = (eqn.params[k] for k in ("start_indices", "limit_indices", "strides"))
    index = tuple(map(slice, starts, limits, strides or (1,) * len(starts)))
    return lambda x: x[index]


def _parts(sizes: Sequence[int], axis: int) -> list[tuple[slice, ...]]:
    ends = np.cumsum(sizes).tolist()
    return [(slice(None),) * axis + (slice(e - s, e),) for s, e in zip(sizes, ends, strict=True)]


@rule("split")
def split(eqn: Equation) -> Run:
    indices = _parts(eqn.params["sizes"], eqn.params["axis"])
    return lambda x: [x[i] for i in indices]


@rule("unstack")
def unstack(eqn: Equation) -> Run:
    before = (slice(None),) * eqn.params["axis"]
    indices = [(*before, k) for k in range(len(eqn.outvars))]
    return lambda x: [x[i] for i in indices]


@rule("dynamic_slice")
def dynamic_slice(eqn: Equation) -> Run:
    shape, sizes = eqn.invars[0].aval.shape, eqn.params["slice_sizes"]
    moving = [(k, n - size, size) for k, (n, size) in enumerate(zip(shape, sizes, strict=True)) if n != size]
    whole = [slice(None)] * len(sizes)

    def run(x: Any, *starts: Any) -> Any:
        index = whole.copy()
        for k, most, size in moving:
            first = min(max(int(starts[k]), 0), most)
            index[k] = slice(first, first + size)
        return x[tuple(index)]

    return run


@rule("dynamic_update_slice")
def dynamic_update_slice(eqn: Equation) -> Run:
    shape, sizes = eqn.invars[0].aval.shape, eqn.invars[1].aval.shape
    limits = [n - s for n, s in zip(shape, sizes, strict=True)]
    if sizes == shape:
        return lambda x, update, *starts: update

    def run(x: Any, update: Any, *starts: Any) -> Any:
        firsts = [min(max(int(s), 0), most) for s, most in zip(starts, limits, strict=True)]
        out = np.array(x, order="C")
        out[tuple(slice(s, s + n) for s, n in zip(firsts, sizes, strict=True))] = update
        return out

    return run


@rule("concatenate")
def concatenate(eqn: Equation) -> Run:
    axis = eqn.params["dimension"]
    return lambda *arrays: np.concatenate(arrays, axis)


@rule("stack")
def stack(eqn: Equation) -> Run:
    axis = eqn.params["axis"]
    return lambda *arrays: np.stack(arrays, axis)


@rule("tile")
def tile(eqn: Equation) -> Run:
    times = tuple(eqn.params["reps"])
    return lambda x: np.tile(x, times)


@rule("pad")
def pad(eqn: Equation) -> Run:
    """Padding at both ends and between elements; negative padding cuts off."""
    shape = eqn.outvars[0].aval.shape
    spans = [
        _span(low, inner + 1, size, out)
        for (low, _, inner), size, out in zip(
            eqn.params["padding_config"], eqn.invars[0].aval.shape, shape, strict=True
        )
    ]
    target, source = tuple(t for t, _ in spans), tuple(s for _, s in spans)
    if all(t == slice(0, n, 1) for t, n in zip(target, shape, strict=True)):
        return lambda x, value: x[source]

    def run(x: Any, value: Any) -> Any:
        out = np.full(shape, value, x.dtype) if value else np.zeros(shape, x.dtype)
        out[target] = x[source]
        return out

    return run


def _span(low: int, step: int, size: int, out: int) -> tuple[slice, slice]:
    """Where elements of one dimension go, and which ones: those whose place ``low + k * step`` is within ``out``."""
    first = 0 if low >= 0 else -(low // step)
    place = low + first * step
    count = max(0, min(size - first, -(-(out - place) // step)))
    return slice(place, place + (count - 1) * step + 1 if count else place, step), slice(first, first + count)


@rule("iota")
def iota(eqn: Equation) -> Run:
    shape, dimension = tuple(eqn.params["shape"]), eqn.params["dimension"]
    line = np.arange(shape[dimension]).astype(eqn.params["dtype"])
    line = line.reshape([-1 if k == dimension else 1 for k in range(len(shape))])
    values = np.broadcast_to(line, shape)
    return lambda: values


@rule("empty", "empty2")
def empty(eqn: Equation) -> Run:
    aval = eqn.outvars[0].aval
    return lambda *_: np.zeros(aval.shape, aval.dtype)
