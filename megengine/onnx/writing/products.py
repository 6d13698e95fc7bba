"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..package import OnnxError
from .graph import Graph
from .rules import Call, rule

_NARROW = ("int8", "uint8", "int16")


def _turned(g: Graph, x: str, shape: Any, turn: bool) -> str:
    rank = len(shape)
    if not turn or rank < 2:
        return x
    return g.op("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])


@rule("matmul", "inner")
def _matmul(g: Graph, e: Call) -> str:
    x, y = (g.cast(v, np.int32) if e.dtype.name in _NARROW else v for v in e.inputs)
    x = _turned(g, x, e.shapes[0], e["transpose_a"])
    return g.op("MatMul", x, _turned(g, y, e.shapes[1], e["transpose_b"]))


@rule("linear")
def _linear(g: Graph, e: Call) -> str:
    x, weight, *bias = e.inputs
    if len(e.shape) == 2 and e.is_float and all(len(s) == 1 for s in e.shapes[2:]):
        return g.op("Gemm", x, weight, *bias, transB=1)
    y = g.op("MatMul", x, g.op("Transpose", weight, perm=[1, 0]))
    return g.op("Add", y, bias[0]) if bias else y


@rule("einsum")
def _einsum(g: Graph, e: Call) -> str:
    return g.op("Einsum", *e.inputs, equation=e["equation"])


@rule("dot")
def _dot(g: Graph, e: Call) -> str:
    return g.reduce("ReduceSum", g.op("Mul", *e.inputs), None, False)


@rule("cross")
def _cross(g: Graph, e: Call) -> str:
    """``x[1, 2, 0] y[2, 0, 1] - x[2, 0, 1] y[1, 2, 0]``, along an axis that comes last meanwhile."""
    moved = []
    for value, shape, axis in zip(e.inputs, e.shapes, e["axes"], strict=False):
        axis %= len(shape)
        if shape[axis] != 3:
            raise OnnxError("only vectors of three numbers have a form there")
        order = [k for k in range(len(shape)) if k != axis] + [axis]
        moved.append(g.op("Transpose", value, perm=order))
    turns = [g.const(np.array(t, np.int64)) for t in ([1, 2, 0], [2, 0, 1])]
    (x1, x2), (y1, y2) = ([g.op("Gather", v, t, axis=-1) for t in turns] for v in moved)
    result = g.op("Sub", g.op("Mul", x1, y2), g.op("Mul", x2, y1))
    rank, axis = len(e.out_shape), e["axes"][2] % len(e.out_shape)
    back = list(range(rank - 1))
    back.insert(axis, rank - 1)
    return g.op("Transpose", result, perm=back)
