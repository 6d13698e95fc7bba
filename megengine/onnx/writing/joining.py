"""Joining and cutting up."""

from __future__ import annotations

from .graph import Graph
from .rules import Call, rule


@rule("concat")
def _concat(g: Graph, e: Call) -> str:
    parts = [x if shape else g.unsqueeze(x, 0) for x, shape in zip(e.inputs, e.shapes, strict=True)]
    return g.op("Concat", *parts, axis=e["axis"])


@rule("stack")
def _stack(g: Graph, e: Call) -> str:
    return g.op("Concat", *(g.unsqueeze(x, e["axis"]) for x in e.inputs), axis=e["axis"])


@rule("split")
def _split(g: Graph, e: Call) -> list[str]:
    axis, count = e["axis"], len(e.out_shapes)
    if count == 1:
        return [g.op("Identity", e.x)]
    return g.ops("Split", e.x, g.sizes([shape[axis] for shape in e.out_shapes]), count=count, axis=axis)
