"""Random numbers: the runtime draws its own, and the streams of this package's generators are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graph.exchange.batch import Varying
from .graph import Graph
from .rules import Call, rule


@rule("normal")
def _normal(g: Graph, e: Call) -> list[str]:
    _, mean, std = e.inputs
    drawn = _drawn(g, "RandomNormal", e)
    return [e.x, g.op("Add", g.cast(mean, np.float32), g.op("Mul", g.cast(std, np.float32), drawn))]


@rule("uniform")
def _uniform(g: Graph, e: Call) -> list[str]:
    low, high = (g.cast(v, np.float32) for v in e.inputs[1:])
    drawn = _drawn(g, "RandomUniform", e)
    return [e.x, g.op("Add", low, g.op("Mul", g.op("Sub", high, low), drawn))]


def _drawn(g: Graph, kind: str, e: Call) -> str:
    shape: Any = e["shape"]
    if not any(isinstance(n, Varying) for n in shape):
        return g.op(kind, dtype=1, shape=list(shape))
    return g.op(f"{kind}Like", g.op("Expand", g.like(0, np.float32), g.sizes(shape)), dtype=1)
