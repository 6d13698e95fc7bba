"""Reading and writing elements by their places; :mod:`megengine.ops.index` says what the entries of ``spec`` are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...graph.exchange.batch import Size, Varying, product
from .graph import Graph
from .rules import Call, rule

_END, _START = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@rule("index")
def _wrapped(g: Graph, e: Call) -> str:
    size = e["size"]
    if e.x in g.known and not isinstance(size, Varying):
        known = g.known[e.x].astype(np.int32)
        return g.const(np.where(known < 0, known + np.int32(size), known))
    index = g.cast(e.x, np.int32)
    negative = g.op("Less", index, g.like(0, np.int32))
    return g.op("Where", negative, g.op("Add", index, g.cast(g.squeeze(g.size(size), 0), np.int32)), index)


@rule("getitem")
def _getitem(g: Graph, e: Call) -> str:
    return _read(g, e.x, e.shape, e["spec"], e.inputs[1:], e.shapes[1:])


@rule("setitem")
def _setitem(g: Graph, e: Call) -> str:
    """The elements' numbers in ``x`` are read as the elements would be, and are where the new ones go."""
    x, value, *numbers = e.inputs
    total = product(e.shape)
    if isinstance(total, Varying):
        count = g.op("Range", g.like(0, np.int64), g.squeeze(g.size(total), 0), g.like(1, np.int64))
    else:
        count = g.const(np.arange(total, dtype=np.int64))
    places = _read(g, g.reshape(count, e.shape), e.shape, e["spec"], numbers, e.shapes[2:])
    new = g.op("Expand", g.cast(value, e.dtype) if e.dtypes[1] != e.dtype else value, g.op("Shape", places))
    flat = [g.op("Reshape", v, g.ints(-1)) for v in (x, places, new)]
    return g.reshape(g.op("ScatterElements", *flat, axis=0), e.shape)


def _read(
    g: Graph,
    x: str,
    shape: tuple[Size, ...],
    spec: tuple[Any, ...],
    numbers: list[str],
    of_numbers: list[tuple[Size, ...]],
) -> str:
    """``x[spec]``, with the operands that its entries stand for."""
    entries = list(_entries(spec, numbers))
    x = _cut(g, x, entries)
    dims = [entry for entry in entries if entry[0] != "n"]
    dims += [(":", None)] * (len(shape) - len(dims))
    if any(kind == "a" for kind, _ in dims):
        return _picked(g, x, entries, dims, max(map(len, of_numbers)))
    for axis in reversed(range(len(dims))):
        kind, number = dims[axis]
        if kind == "i":
            x = g.op("Gather", x, number, axis=axis)
    new = [k for k, (kind, _) in enumerate(en for en in entries if en[0] != "i") if kind == "n"]
    return g.unsqueeze(x, *new) if new else (g.op("Identity", x) if x in g.known else x)


def _entries(spec: tuple[Any, ...], numbers: list[str]) -> Iterator[tuple[str, Any]]:
    """Each entry's kind, and what it needs: an operand, a slice, or an operand and a size."""
    rest = iter(numbers)
    for entry in spec:
        kind = entry if isinstance(entry, str) else entry[0]
        if kind in ("i", "a"):
            yield kind, next(rest)
        elif kind == "w":
            yield kind, (next(rest), entry[1])
        else:
            yield kind, entry[1:] if kind == "s" else None


def _cut(g: Graph, x: str, entries: list[tuple[str, Any]]) -> str:
    """The strided slices and windows, as one slice."""
    starts, ends, axes, steps = [], [], [], []
    for axis, (kind, held) in enumerate(entry for entry in entries if entry[0] != "n"):
        if kind == "s":
            start, stop, step = held
            step = 1 if step is None else step
            starts.append(g.size((0 if step > 0 else _END) if start is None else start))
            ends.append(g.size((_END if step > 0 else _START) if stop is None else stop))
        elif kind == "w":
            number, size = held
            first = g.known.get(number)
            if first is not None and not isinstance(size, Varying):
                starts.append(g.ints(int(first)))
                ends.append(g.ints(int(first) + size))
            else:
                starts.append(g.unsqueeze(g.cast(number, np.int64), 0))
                ends.append(g.op("Add", starts[-1], g.size(size)))
            step = 1
        else:
            continue
        axes.append(axis)
        steps.append(step)
    if not axes:
        return x
    begin, end = _vector(g, starts), _vector(g, ends)
    return g.slice(x, begin, end, axes, steps if any(s != 1 for s in steps) else None)


def _vector(g: Graph, values: list[str]) -> str:
    if all(v in g.known for v in values):
        return g.ints(*(int(g.known[v][0]) for v in values))
    return values[0] if len(values) == 1 else g.op("Concat", *values, axis=0)


def _picked(g: Graph, x: str, entries: list[tuple[str, Any]], dims: list[tuple[str, Any]], rank: int) -> str:
    """Arrays of indices, and ints, which count as such beside them; their common shape has ``rank`` dimensions."""
    where = [axis for axis, (kind, _) in enumerate(dims) if kind in "ia"]
    rest = [("rest", axis) for axis in range(len(dims)) if axis not in where]
    picked = [("picked", k) for k in range(rank)]
    if len(where) == 1:
        found = g.op("Gather", x, dims[where[0]][1], axis=where[0])
        order = [*rest[: where[0]], *picked, *rest[where[0] :]]
    else:
        found, order = _gathered(g, x, where, [axis for _, axis in rest], [dims[a][1] for a in where]), [*picked, *rest]
    wanted = _layout(entries, len(dims), picked)
    there = [token for token in wanted if token[0] != "new"]
    if there != order:
        found = g.op("Transpose", found, perm=[order.index(token) for token in there])
    new = [k for k, token in enumerate(wanted) if token[0] == "new"]
    return g.unsqueeze(found, *new) if new else found


def _gathered(g: Graph, x: str, where: list[int], rest: list[int], indices: list[str]) -> str:
    """The dimensions ``where`` picked by as many arrays, which are broadcast, before the others."""
    arrays = [g.cast(index, np.int64) for index in indices]
    total = arrays[0]
    for array in arrays[1:]:
        total = g.op("Add", total, array)
    shape = g.op("Shape", total)
    index = g.op("Concat", *(g.unsqueeze(g.op("Expand", a, shape), -1) for a in arrays), axis=-1)
    order = [*where, *rest]
    return g.op("GatherND", x if order == sorted(order) else g.op("Transpose", x, perm=order), index)


def _layout(entries: list[tuple[str, Any]], count: int, picked: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The dimensions of the result in NumPy's order: what is picked stands where the arrays do if they are side by side."""
    full = [*entries, *[(":", None)] * (count - sum(kind != "n" for kind, _ in entries))]
    at = [k for k, (kind, _) in enumerate(full) if kind in "ia"]
    beside = at[-1] - at[0] + 1 == len(at)
    made: list[tuple[str, int]] = [] if beside else list(picked)
    axis = 0
    for k, (kind, _) in enumerate(full):
        if kind == "n":
            made.append(("new", k))
            continue
        if kind not in "ia":
            made.append(("rest", axis))
        elif beside and k == at[0]:
            made += picked
        axis += 1
    return made


@rule("gather")
def _gather(g: Graph, e: Call) -> str:
    axis = e["axis"] % len(e.shape)
    index = _as_wide(g, e.inputs[1], e.shapes[1], e.out_shape)
    data = [n if k == axis else m for k, (n, m) in enumerate(zip(e.shape, e.out_shape, strict=True))]
    return g.op("GatherElements", _as_wide(g, e.x, e.shape, data), index, axis=axis)


def _as_wide(g: Graph, x: str, shape: Any, wanted: Any) -> str:
    return x if list(shape) == list(wanted) else g.op("Expand", x, g.sizes(wanted))


@rule("scatter")
def _scatter(g: Graph, e: Call) -> str:
    x, index, source = e.inputs
    source = g.cast(source, e.dtype) if e.dtypes[2] != e.dtype else source
    return g.op("ScatterElements", x, index, _as_wide(g, source, e.shapes[2], e.shapes[1]), axis=e["axis"])


@rule("take")
def _take(g: Graph, e: Call) -> str:
    return g.op("Gather", g.op("Reshape", e.x, g.ints(-1)), e.inputs[1], axis=0)


@rule("take_along")
def _take_along(g: Graph, e: Call) -> str:
    axis = e["axis"] % len(e.shape)
    picked = g.op("GatherElements", e.x, g.unsqueeze(e.inputs[1], axis), axis=axis)
    return picked if e["keepdims"] else g.squeeze(picked, axis)
