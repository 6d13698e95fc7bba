"""Reading and writing elements by their places."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from ...tensor import Tensor
from .rules import Node, as_tensor, axis_of, computes
from .shaping import at_axis


def _wrapped(index: Tensor, size: int) -> Tensor:
    """Negative indices count from the end."""
    return F.where(F.less(index, 0), index + size, index)


@computes("Gather")
def _gather(e: Node) -> Any:
    x, axis = e.tensor(), axis_of(e.get("axis", 0), e.inputs[0].ndim)
    if not isinstance(e.inputs[1], Tensor):
        index = np.asarray(e.inputs[1])
        if index.ndim == 0:
            return x[at_axis(axis, int(index))]
        return x[at_axis(axis, Tensor(np.where(index < 0, index + x.shape[axis], index).astype(np.int32)))]
    return x[at_axis(axis, e.inputs[1])]


@computes("GatherElements")
def _gather_elements(e: Node) -> Any:
    x, index = e.tensor(0), e.tensor(1)
    axis = axis_of(e.get("axis", 0), x.ndim)
    return _picked_along(x, axis, _wrapped(index, x.shape[axis]))


def _picked_along(x: Tensor, axis: int, index: Tensor) -> Tensor:
    """``x[i, index[i, j], j]``; the other axes of the index may be shorter."""
    cut = tuple(slice(None) if k == axis else slice(0, n) for k, n in enumerate(index.shape))
    return F.gather(x[cut], axis, index)


@computes("GatherND")
def _gather_nd(e: Node) -> Any:
    x, index, batch = e.tensor(0), e.tensor(1), e.get("batch_dims", 0)
    depth = index.shape[-1]
    places = [_wrapped(index[..., k], x.shape[batch + k]) for k in range(depth)]
    return x[(*_grid(index.shape[:-1], batch), *places)]


def _grid(shape: Any, count: int) -> list[Tensor]:
    """The first coordinates of each place."""
    full = np.indices(tuple(shape), dtype=np.int32)
    return [Tensor(np.ascontiguousarray(full[k])) for k in range(count)]


@computes("Scatter", "ScatterElements")
def _scatter_elements(e: Node) -> Any:
    x, index, updates = e.tensor(0), e.tensor(1), e.tensor(2)
    axis = axis_of(e.get("axis", 0), x.ndim)
    index = _wrapped(index, x.shape[axis])
    strides = np.cumprod([1, *x.shape[:0:-1]])[::-1].astype(np.int32)
    place = index * int(strides[axis])
    others = np.indices(index.shape, dtype=np.int32)
    fixed = sum((others[k] * strides[k] for k in range(x.ndim) if k != axis), np.zeros(index.shape, np.int32))
    flat = F.flatten(place + Tensor(np.ascontiguousarray(fixed, np.int32)))
    return F.reshape(_written(F.flatten(x), flat, F.flatten(updates), e), x.shape)


@computes("ScatterND")
def _scatter_nd(e: Node) -> Any:
    x, index, updates = e.tensor(0), e.tensor(1), e.tensor(2)
    depth = index.shape[-1]
    inner = int(np.prod(x.shape[depth:]))
    place: Any = 0
    stride = 1
    for k in reversed(range(depth)):
        place, stride = place + _wrapped(index[..., k], x.shape[k]) * stride, stride * x.shape[k]
    place = F.flatten(as_tensor(place))
    wide = F.reshape(place, (-1, 1)) * inner + Tensor(np.arange(inner, dtype=np.int32))
    return F.reshape(_written(F.flatten(x), F.flatten(wide), F.flatten(updates), e), x.shape)


def _written(flat: Tensor, places: Tensor, values: Tensor, e: Node) -> Tensor:
    """A vector with values written to places, or combined with what is there, those of one place in their order."""
    kind = e.get("reduction", "none")
    if places.size == 0:
        return flat
    if kind == "none":
        return F.scatter(flat, 0, places, values)
    count, size = places.size, flat.size
    if count * size > 1 << 24:
        raise e.refuse(f"reduction {kind!r} of {count} values into {size} is not supported")
    hit = F.equal(F.expand_dims(places, 0), Tensor(np.arange(size, dtype=np.int32).reshape(-1, 1)))
    wide = F.broadcast_to(F.expand_dims(values, 0), (size, count))
    neutral, combine, reduce = _REDUCTIONS[kind]
    fill = F.full((int(size), int(count)), neutral(flat.dtype), dtype=flat.dtype)
    return combine(flat, reduce(F.where(hit, wide, fill), axis=1))


def _limit(which: str) -> Any:
    def found(dtype: Any) -> Any:
        limits: Any = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
        return getattr(limits, which)

    return found


_REDUCTIONS: dict[str, Any] = {
    "add": (lambda d: 0, F.add, F.sum),
    "mul": (lambda d: 1, F.mul, F.prod),
    "max": (_limit("min"), F.maximum, F.max),
    "min": (_limit("max"), F.minimum, F.min),
}


@computes("OneHot", host=[1, 2])
def _one_hot(e: Node) -> Any:
    index, depth, values = e.tensor(0), int(e.host(1).reshape(-1)[0]), e.host(2)
    index = index.astype("int32")
    axis = axis_of(e.get("axis", -1), index.ndim + 1)
    shape = [1] * (index.ndim + 1)
    shape[axis] = depth
    places = Tensor(np.arange(depth, dtype=np.int32).reshape(shape))
    hit = F.equal(F.expand_dims(_wrapped(index, depth), axis), places)
    off, on = (as_tensor(v) for v in values)
    return F.where(hit, F.broadcast_to(on, hit.shape), F.broadcast_to(off, hit.shape))


@computes("NonZero", host=[0])
def _non_zero(e: Node) -> Any:
    return np.array(np.nonzero(e.host(0)), np.int64)


@computes("Compress", host=[1])
def _compress(e: Node) -> Any:
    x, keep = e.tensor(0), e.host(1)
    if e.get("axis") is None:
        x, axis = F.flatten(x), 0
    else:
        axis = axis_of(e.get("axis"), x.ndim)
    return x[at_axis(axis, Tensor(np.flatnonzero(keep).astype(np.int32)))]


@computes("ReverseSequence", host=[1])
def _reverse_sequence(e: Node) -> Any:
    x, lengths = e.tensor(0), e.host(1)
    time, batch = e.get("time_axis", 0), e.get("batch_axis", 1)
    steps = np.arange(x.shape[time])
    index = np.where(steps[:, None] < lengths, lengths - 1 - steps[:, None], steps[:, None])
    index = index if time < batch else index.T
    shape = [n if k in (time, batch) else 1 for k, n in enumerate(x.shape)]
    wide = np.broadcast_to(index.reshape(shape), x.shape)
    return F.gather(x, time, Tensor(np.ascontiguousarray(wide, np.int32)))
