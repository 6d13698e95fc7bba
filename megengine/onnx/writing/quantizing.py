"""Quantisation, and what training sees of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..package import OnnxError
from .elementwise import nearest
from .graph import Graph
from .rules import Call, rule


@rule("quantize")
def _quantize(g: Graph, e: Call) -> str:
    return _linear(g, "QuantizeLinear", e, e["to"])


@rule("dequantize")
def _dequantize(g: Graph, e: Call) -> str:
    return _linear(g, "DequantizeLinear", e, e["of"])


def _linear(g: Graph, kind: str, e: Call, key: Any) -> str:
    name, scale, zero = key
    stored = {"QuantizedS8": np.int8, "Quantized8Asymm": np.uint8}.get(name)
    if stored is None:
        raise OnnxError(f"{name} has no form there")
    x = e.x if kind == "DequantizeLinear" or e.dtype == np.float32 else g.cast(e.x, np.float32)
    return g.op(kind, x, g.like(scale, np.float32), g.like(zero or 0, stored))


@rule("fake_quant")
def _fake_quant(g: Graph, e: Call) -> str:
    scale, zero = (_scalar(g, e, k) for k in (1, 2))
    at = g.op("Add", nearest(g, g.op("Div", e.x, scale), e.dtype), zero)
    return g.op("Mul", g.op("Sub", _within(g, e, at), zero), scale)


@rule("tqt")
def _tqt(g: Graph, e: Call) -> str:
    step = g.op("Pow", g.like(2, e.dtype), _scalar(g, e, 1))
    return g.op("Mul", _within(g, e, nearest(g, g.op("Div", e.x, step), e.dtype)), step)


@rule("lsq")
def _lsq(g: Graph, e: Call) -> str:
    step, zero = (_scalar(g, e, k) for k in (1, 2))
    at = nearest(g, _within(g, e, g.op("Add", g.op("Div", e.x, step), zero)), e.dtype)
    return g.op("Mul", g.op("Sub", at, zero), step)


def _scalar(g: Graph, e: Call, k: int) -> str:
    """A parameter of one element as a scalar."""
    return g.reshape(e.inputs[k], []) if e.shapes[k] and set(e.shapes[k]) == {1} else e.inputs[k]


def _within(g: Graph, e: Call, x: str) -> str:
    return g.op("Clip", x, g.like(e["qmin"], e.dtype), g.like(e["qmax"], e.dtype))
