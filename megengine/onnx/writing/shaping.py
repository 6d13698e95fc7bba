"""Reshaping and making arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graph.exchange.batch import Varying, product
from .graph import Graph
from .rules import Call, rule


@rule("reshape")
def _reshape(g: Graph, e: Call) -> str:
    target = list(e["shape"])
    if -1 in target:
        target = list(e.out_shape)
    return g.reshape(e.x, target)


@rule("transpose")
def _transpose(g: Graph, e: Call) -> str:
    pattern = e["pattern"]
    axes = [p for p in pattern if p != "x"]
    moved = e.x if axes == list(range(len(axes))) else g.op("Transpose", e.x, perm=axes)
    new = [k for k, p in enumerate(pattern) if p == "x"]
    return g.unsqueeze(moved, *new) if new else (g.op("Identity", moved) if moved == e.x else moved)


@rule("broadcast_to")
def _broadcast_to(g: Graph, e: Call) -> str:
    return g.op("Expand", e.x, g.sizes(e["shape"]))


@rule("expand_dims")
def _expand_dims(g: Graph, e: Call) -> str:
    axes = e["axes"]
    return g.unsqueeze(e.x, *([axes] if isinstance(axes, int) else axes))


@rule("squeeze")
def _squeeze(g: Graph, e: Call) -> str:
    axes = e["axes"]
    if axes is None:
        axes = [k for k, n in enumerate(e.shape) if n == 1]
    axes = [axes] if isinstance(axes, int) else axes
    return g.squeeze(e.x, *axes) if axes else g.op("Identity", e.x)


@rule("repeat")
def _repeat(g: Graph, e: Call) -> str:
    x, shape, axis, times = e.x, e.shape, e["axis"], int(e["repeats"])
    if axis is None:
        x, shape, axis = g.op("Reshape", x, g.ints(-1)), (product(e.shape),), 0
    axis %= len(shape)
    ones = [1] * (len(shape) + 1)
    ones[axis + 1] = times
    return g.reshape(g.op("Tile", g.unsqueeze(x, axis + 1), g.ints(*ones)), e.out_shape)


@rule("tile")
def _tile(g: Graph, e: Call) -> str:
    reps, x = [*e["reps"]], e.x
    ndim = len(e.shape)
    if len(reps) > ndim:
        x = g.unsqueeze(x, *range(len(reps) - ndim))
    return g.op("Tile", x, g.sizes([1] * (ndim - len(reps)) + reps))


@rule("roll")
def _roll(g: Graph, e: Call) -> str:
    shifts, axes, x = e["shift"], e["axes"], e.x
    if axes is None:
        x = g.op("Reshape", x, g.ints(-1))
        return g.reshape(
            _rolled(g, x, shifts if isinstance(shifts, int) else sum(shifts), 0, product(e.shape)), e.shape
        )
    shifts = (shifts,) if isinstance(shifts, int) else shifts
    axes = (axes,) if isinstance(axes, int) else axes
    for shift, axis in zip(shifts, axes, strict=True):
        x = _rolled(g, x, shift, axis, e.shape[axis])
    return x


def _rolled(g: Graph, x: str, shift: int, axis: int, size: Any) -> str:
    if not isinstance(size, Varying):
        shift = shift % size if size else 0
    if shift == 0:
        return g.op("Identity", x)
    end = np.iinfo(np.int64).max
    parts = [g.slice(x, [-shift], [end], [axis]), g.slice(x, [0], [-shift], [axis])]
    return g.op("Concat", *parts, axis=axis)


@rule("constant")
def _constant(g: Graph, e: Call) -> str:
    return _filled(g, g.like(e["value"], e.out_dtype), e)


@rule("full")
def _full(g: Graph, e: Call) -> str:
    return _filled(g, g.cast(e.x, e.out_dtype), e)


def _filled(g: Graph, value: str, e: Call) -> str:
    return g.op("Expand", value, g.sizes(e.out_shape)) if e.out_shape else g.op("Identity", value)


@rule("full_like")
def _full_like(g: Graph, e: Call) -> str:
    return g.op("Expand", g.cast(e.inputs[1], e.out_dtype), g.sizes(e.out_shape))


@rule("arange")
def _arange(g: Graph, e: Call) -> str:
    whole = all(np.dtype(t).kind in "iu" for t in (*e.dtypes, e["dtype"]))
    dtype = np.dtype(np.int32 if whole else np.float32)
    start, step = (g.cast(v, dtype) for v in e.inputs)
    return g.cast(g.op("Add", start, g.op("Mul", step, _steps(g, e["count"], dtype))), e.out_dtype)


@rule("linspace")
def _linspace(g: Graph, e: Call) -> str:
    start, stop = (g.cast(v, np.float32) for v in e.inputs)
    between = g.like(max(int(e["count"]) - 1, 1), np.float32)
    step = g.op("Div", g.op("Sub", stop, start), between)
    return g.cast(g.op("Add", start, g.op("Mul", step, _steps(g, e["count"], np.dtype(np.float32)))), e.out_dtype)


def _steps(g: Graph, count: Any, dtype: np.dtype) -> str:
    """0, 1, 2, ..."""
    if not isinstance(count, Varying):
        return g.const(np.arange(count, dtype=dtype))
    numbers = g.op("Range", g.like(0, np.int64), g.squeeze(g.size(count), 0), g.like(1, np.int64))
    return g.cast(numbers, dtype)


@rule("eye")
def _eye(g: Graph, e: Call) -> str:
    return g.op("Identity", g.const(np.eye(e["rows"], e["columns"], dtype=e.out_dtype)))


@rule("diag")
def _diag(g: Graph, e: Call) -> str:
    """By the places that ``np.diag`` takes its elements from."""
    shape, k = tuple(map(int, e.shape)), e["k"]
    count = int(np.prod(shape))
    if len(shape) == 1:  # zero comes after the others
        places = np.diag(np.arange(count) + 1, k) - 1
        padded = g.op("Concat", e.x, g.const(np.zeros(1, e.dtype)), axis=0)
        return g.op("Gather", padded, g.const(np.where(places < 0, count, places)), axis=0)
    flat = g.op("Reshape", e.x, g.ints(-1))
    return g.op("Gather", flat, g.const(np.diag(np.arange(count).reshape(shape), k)), axis=0)


@rule("one_hot")
def _one_hot(g: Graph, e: Call) -> str:
    classes = g.const(np.arange(e["classes"], dtype=e.dtype))
    return g.cast(g.op("Equal", g.unsqueeze(e.x, -1), classes), e.out_dtype)


@rule("meshgrid")
def _meshgrid(g: Graph, e: Call) -> list[str]:
    count = len(e.inputs)
    order = list(range(count))
    if e["indexing"] == "xy" and count > 1:
        order[:2] = [1, 0]
    made = []
    for k, x in enumerate(e.inputs):
        others = [a for a in range(count) if a != order[k]]
        made.append(g.op("Expand", g.unsqueeze(x, *others) if others else x, g.sizes(e.out_shapes[k])))
    return made


@rule("pixel_shuffle")
def _pixel_shuffle(g: Graph, e: Call) -> str:
    *batch, channels, height, width = e.shape
    if len(batch) == 1:
        return g.op("DepthToSpace", e.x, blocksize=e["factor"], mode="CRD")
    x = g.reshape(e.x, [product(batch), channels, height, width])
    return g.reshape(g.op("DepthToSpace", x, blocksize=e["factor"], mode="CRD"), e.out_shape)
