"""Normalisations and padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graph.exchange.batch import product
from ..package import OnnxError
from .graph import Graph
from .reducing import variance
from .rules import Call, rule
from .windows import as_shape

_FLOAT = np.dtype(np.float32)


@rule("layer_norm", "general_norm")
def _layer_norm(g: Graph, e: Call) -> str:
    rank = len(e.shape)
    axes = sorted(a % rank for a in e["axes"])
    sizes = [int(e.shape[a]) for a in axes]
    trailing = axes == list(range(rank - len(axes), rank))
    if trailing and g.opset >= 17 and e.dtype == _FLOAT:
        scale = as_shape(g, e.inputs[1], sizes) if len(e.inputs) > 1 else g.const(np.ones(sizes, np.float32))
        bias = [as_shape(g, e.inputs[2], sizes)] if len(e.inputs) > 2 else []
        return g.op("LayerNormalization", e.x, scale, *bias, axis=axes[0], epsilon=e["eps"])
    x = e.x if e.dtype == _FLOAT else g.cast(e.x, np.float32)
    y = _standardized(g, x, axes, e["eps"])
    if len(e.inputs) > 1:
        shape = [e.shape[k] if k in axes else 1 for k in range(rank)]
        weight, bias_value = (
            _in_float(g, as_shape(g, p, shape), d) for p, d in zip(e.inputs[1:], e.dtypes[1:], strict=True)
        )
        y = g.op("Add", g.op("Mul", y, weight), bias_value)
    return y if e.dtype == _FLOAT else g.cast(y, e.out_dtype)


def _in_float(g: Graph, value: str, dtype: np.dtype) -> str:
    return value if dtype == _FLOAT else g.cast(value, np.float32)


def _standardized(g: Graph, x: str, axes: Any, eps: float) -> str:
    deviation = g.op("Sqrt", g.op("Add", variance(g, x, axes, True), g.like(eps, np.float32)))
    return g.op("Div", g.op("Sub", x, g.reduce("ReduceMean", x, axes, True)), deviation)


@rule("group_norm", "instance_norm")
def _group_norm(g: Graph, e: Call) -> str:
    groups, (batch, channels, *spatial) = e["groups"], e.shape
    x = e.x if e.dtype == _FLOAT else g.cast(e.x, np.float32)
    x = g.reshape(x, [batch, groups, product([channels // groups, *spatial])])
    ones, zeros = g.const(np.ones(groups, np.float32)), g.const(np.zeros(groups, np.float32))
    y = g.reshape(g.op("InstanceNormalization", x, ones, zeros, epsilon=e["eps"]), e.shape)
    if len(e.inputs) > 1:
        across = [1, channels, *[1] * len(spatial)]
        weight, bias = (
            _in_float(g, as_shape(g, p, across), d) for p, d in zip(e.inputs[1:], e.dtypes[1:], strict=True)
        )
        y = g.op("Add", g.op("Mul", y, weight), bias)
    return y if e.dtype == _FLOAT else g.cast(y, e.out_dtype)


@rule("batch_norm")
def _batch_norm(g: Graph, e: Call) -> str:
    channels = (e.shape[1],)
    x = e.x if e.dtype == _FLOAT else g.cast(e.x, np.float32)
    parameters = [_in_float(g, as_shape(g, p, channels), d) for p, d in zip(e.inputs[1:], e.dtypes[1:], strict=True)]
    y = g.op("BatchNormalization", x, *parameters, epsilon=e["eps"])
    return y if e.dtype == _FLOAT else g.cast(y, e.out_dtype)


@rule("local_response_norm")
def _local_response_norm(g: Graph, e: Call) -> str:
    if e["size"] % 2 == 0:
        raise OnnxError("windows of an even size have no form there")
    return g.op("LRN", e.x, size=e["size"], alpha=e["alpha"] * e["size"], beta=e["beta"], bias=float(e["k"]))


@rule("pad")
def _pad(g: Graph, e: Call) -> str:
    pads = g.ints(*(before for before, _ in e["widths"]), *(after for _, after in e["widths"]))
    mode = {"constant": "constant", "replicate": "edge", "edge": "edge", "reflect": "reflect"}.get(e["mode"])
    if mode is None:
        raise OnnxError(f"padding of mode {e['mode']!r} has no form there")
    return g.op("Pad", e.x, pads, *([g.cast(e.inputs[1], e.dtype)] if mode == "constant" else []), mode=mode)
