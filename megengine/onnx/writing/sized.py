"""Results whose size depends on numbers: in ONNX the runtime finds it."""

from __future__ import annotations

import numpy as np

from .graph import Graph
from .reducing import top
from .rules import Call, rule


@rule("true_places")
def _true_places(g: Graph, e: Call) -> str:
    return g.cast(g.squeeze(g.op("NonZero", g.op("Reshape", e.x, g.ints(-1))), 0), np.int32)


@rule("place_along")
def _place_along(g: Graph, e: Call) -> str:
    sizes = g.op("Shape", e.inputs[1])
    axis, end = e["axis"] % len(e.shapes[1]), np.iinfo(np.int64).max
    after = g.reduce("ReduceProd", g.slice(sizes, [axis + 1], [end], [0]), [0], False)
    own = g.op("Gather", sizes, g.const(np.array(axis)), axis=0)
    place = g.op("Div", g.cast(e.x, np.int64), after)
    return g.cast(g.op("Mod", place, own), np.int32)


@rule("leading")
def _leading(g: Graph, e: Call) -> str:
    length = g.op("Reshape", g.cast(e.inputs[1], np.int64), g.ints(1))
    return g.slice(e.x, g.ints(0), length, g.ints(0))


@rule("reshape_by")
def _reshape_by(g: Graph, e: Call) -> str:
    return g.op("Reshape", e.x, g.cast(e.inputs[1], np.int64))


@rule("broadcast_by")
def _broadcast_by(g: Graph, e: Call) -> str:
    return g.op("Expand", e.x, g.cast(e.inputs[1], np.int64))


@rule("arange_by")
def _arange_by(g: Graph, e: Call) -> str:
    bounds = [g.squeeze(g.slice(e.x, [k], [k + 1], [0]), 0) for k in range(3)]
    return g.cast(g.op("Range", *bounds), e["dtype"])


@rule("linspace_by")
def _linspace_by(g: Graph, e: Call) -> str:
    start, stop = (g.cast(g.op("Reshape", x, g.ints()), np.float32) for x in e.inputs[:2])
    count = g.cast(g.op("Reshape", e.inputs[2], g.ints()), np.float32)
    zero, one = g.like(0, np.float32), g.like(1, np.float32)
    step = g.op("Div", g.op("Sub", stop, start), g.op("Max", g.op("Sub", count, one), one))
    return g.cast(g.op("Add", start, g.op("Mul", step, g.op("Range", zero, count, one))), e["dtype"])


@rule("shape_of")
def _shape_of(g: Graph, e: Call) -> str:
    return g.cast(g.op("Shape", e.x), np.int32)


@rule("index_in")
def _index_in(g: Graph, e: Call) -> str:
    size = g.op("Gather", g.op("Shape", e.inputs[1]), g.const(np.array(e["axis"] % len(e.shapes[1]))), axis=0)
    index = g.cast(e.x, np.int32)
    return g.op("Where", g.op("Less", index, g.like(0, np.int32)), g.op("Add", index, g.cast(size, np.int32)), index)


@rule("from_highest")
def _from_highest(g: Graph, e: Call) -> str:
    count = g.op("Shape", e.x)
    return top(g, e.x, count, count, True)[1]


@rule("nms_places")
def _nms_places(g: Graph, e: Call) -> list[str]:
    """The boxes come in falling order of their scores, whatever these are; after the places no zeros follow."""
    count = g.squeeze(g.slice(g.op("Shape", e.x), [0], [1], [0]), 0)
    order = g.op("Neg", g.cast(g.op("Range", g.like(0, np.int64), count, g.like(1, np.int64)), np.float32))
    chosen = g.op(
        "NonMaxSuppression",
        g.unsqueeze(e.x, 0),
        g.unsqueeze(order, 0, 1),
        g.ints(min(e["limit"], np.iinfo(np.int32).max)),
        g.const(np.array([e["threshold"]], np.float32)),
    )
    places = g.cast(g.op("Gather", chosen, g.const(np.array(2)), axis=1), np.int32)
    return [places, g.cast(g.squeeze(g.op("Shape", places), 0), np.int32)]
