"""Quantisation as ONNX has it: integers are made by ``QuantizeLinear``, and what is computed of them reads ``DequantizeLinear``.

Runtimes fuse an operator with the pairs around it into one of integers. Halves go to the even integer there, and away from zero
here, so a result may be one step off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.exchange.batch import product
from ...ops.quantized import BY_CNAME, Key, is_quantized, key_of, product_of
from ..package import OnnxError
from .elementwise import nearest
from .graph import Graph
from .rules import RULES, Call, Rule, rule
from .windows import as_shape

_STORED = {"QuantizedS8": np.int8, "Quantized8Asymm": np.uint8}
_FLOAT = np.dtype(np.float32)
# Computed of real numbers, whatever the operands are; other operators move integers about.
_COMPUTED = frozenset(
    ["add", "inner", "linear", "matmul", "maximum", "mean_pool", "minimum", "neg", "relu", "resize", "sub", "where"]
)


def real(g: Graph, value: str, key: Key) -> str:
    """What integers stand for."""
    if (value, key) not in g.real:
        g.real[value, key] = _real(g, value, key)
    return g.real[value, key]


def _real(g: Graph, value: str, key: Key) -> str:
    scale = g.like(key.scale, _FLOAT)
    if key.cname in _STORED:
        return g.op("DequantizeLinear", value, scale, g.like(key.zero_point, _STORED[key.cname]))
    if key.cname == "QuantizedS32":
        return g.op("DequantizeLinear", value, scale)
    whole = g.op("Cast", value, to=1)
    return g.op("Mul", g.op("Sub", whole, g.like(key.zero_point, _FLOAT)) if key.zero_point else whole, scale)


def integers(g: Graph, value: str, key: Key, exact: bool = False) -> str:
    """Real numbers as integers of a quantised dtype.

    Args:
        g: the graph.
        value: the real numbers.
        key: the dtype.
        exact: whether they are whole steps already, so that whoever reads the integers as real numbers can have these.
    """
    scale, meta = g.like(key.scale, _FLOAT), BY_CNAME[key.cname]
    if key.cname in _STORED:
        return _steps(g, value, scale, g.like(key.zero_point, _STORED[key.cname]))
    whole = nearest(g, g.op("Div", value, scale), _FLOAT)
    if key.zero_point:
        whole = g.op("Add", whole, g.like(key.zero_point, _FLOAT))
    highest = float(np.nextafter(np.float32(meta.qmax) + 1, np.float32(0)))  # float32 holds no 2 ** 31 - 1
    bounded = g.op("Clip", whole, g.like(meta.qmin, _FLOAT), g.like(highest, _FLOAT))
    made = g.cast(bounded, np.dtype(meta.np_dtype_str))
    if exact:
        g.real[made, key] = value
    return made


def _steps(g: Graph, value: str, scale: str, zero: str) -> str:
    """Real numbers as 8-bit integers.

    A rectifier before signed ones is written between two pairs, which changes nothing: a runtime fuses what is before it then.
    """
    maker = next((node for node in reversed(g.nodes) if value in node.output), None)
    if maker is not None and maker.op_type == "Relu" and g.known[zero].dtype == np.int8 and not g.known[zero]:
        before = g.op("QuantizeLinear", maker.input[0], scale, zero)
        value = g.op("Relu", g.op("DequantizeLinear", before, scale, zero))
    return g.op("QuantizeLinear", value, scale, zero)


def goes_by_real_numbers(e: Call) -> bool:
    """Whether an op of quantised operands is written as one of real numbers."""
    return e.name in _COMPUTED and any(map(is_quantized, e.dtypes))


def by_real_numbers(g: Graph, e: Call, found: Rule | None) -> str:
    """What the rule of an op makes of real numbers, as integers again."""
    if found is None:
        raise OnnxError("of quantised tensors it has no form there")
    inputs = [
        real(g, x, key_of(dtype)) if is_quantized(dtype) else x for x, dtype in zip(e.inputs, e.dtypes, strict=True)
    ]
    operands = [(s, _FLOAT if is_quantized(d) else d) for s, d in zip(e.shapes, e.dtypes, strict=True)]
    made = found(g, Call(e.name, inputs, e.attributes, operands, [(s, _FLOAT) for s in e.out_shapes]))
    assert isinstance(made, str)
    return integers(g, made, key_of(e.out_dtype), exact=e.name not in ("mean_pool", "resize"))


@rule("quantize")
def _quantize(g: Graph, e: Call) -> str:
    to, known = e["to"], e.result()
    if known is not None:
        return g.instead(e.x, known)
    x = e.x if e.dtype == _FLOAT else g.cast(e.x, _FLOAT)
    if not e["divided"]:
        return integers(g, x, to)
    whole = _undivided(g, x, to.scale)
    return integers(g, x, to._replace(scale=1.0)) if whole is None else integers(g, whole, to)


def _undivided(g: Graph, x: str, scale: float) -> str | None:
    """What was multiplied by the inverse of a scale to give a value: ``QuantizeLinear`` divides by itself."""
    maker = next((node for node in reversed(g.nodes) if x in node.output), None)
    if maker is None or maker.op_type != "Mul":
        return None
    value, factor = maker.input
    same = factor in g.known and g.known[factor] == np.float32(1) / np.float32(scale)
    return str(value) if np.all(same) else None


@rule("dequantize")
def _dequantize(g: Graph, e: Call) -> str:
    return real(g, e.x, e["of"])


@rule("conv_bias")
def _conv_bias(g: Graph, e: Call) -> str:
    weight, groups = e.inputs[1], e["groups"]
    if groups > 1:
        weight = as_shape(g, weight, (product(e.shapes[1][:2]), *e.shapes[1][2:]))
    inputs = [real(g, e.x, e["of"]), real(g, weight, e["by"])]
    return _convolved(g, e, "Conv", inputs, group=groups)


@rule("quantized_conv_transpose")
def _conv_transpose(g: Graph, e: Call) -> str:
    inputs = [real(g, e.x, e["of"]), real(g, e.inputs[1], e["by"])]
    return _convolved(g, e, "ConvTranspose", inputs, output_padding=list(e["extra"]) if any(e["extra"]) else None)


def _window(e: Call) -> dict[str, Any]:
    return {
        "kernel_shape": list(e.shapes[1][-2:]), "strides": list(e["stride"]), "dilations": list(e["dilation"]),
        "pads": [*e["padding"], *e["padding"]],
    }  # fmt: skip


def _convolved(g: Graph, e: Call, kind: str, inputs: Sequence[str], **settings: Any) -> str:
    """A convolution with its bias, and what follows it."""
    made = product_of(e["of"], e["by"])
    of_channels = len(e.inputs) > 2 and tuple(e.shapes[2]) == (1, e.out_shape[1], 1, 1)
    bias = [real(g, as_shape(g, e.inputs[2], (e.out_shape[1],)), made)] if of_channels else []
    y = g.op(kind, *inputs, *bias, **_window(e), **settings)
    if len(e.inputs) > 2 and not of_channels:
        y = g.op("Add", y, real(g, e.inputs[2], made))
    return _activated(g, e, y)


def _activated(g: Graph, e: Call, y: str) -> str:
    kind = {"relu": "relu", "sigmoid": "sigmoid", "h_swish": "hswish"}.get(e.attributes.get("activation", ""))
    if kind is not None:
        shape = [(e.out_shape, _FLOAT)]
        y = str(RULES[kind](g, Call(kind, [y], {}, shape, shape)))
    exact = e["to"] == product_of(e["of"], e["by"]) and kind in (None, "relu")
    return integers(g, y, e["to"], exact)


@rule("batch_conv_bias")
def _batch_conv_bias(g: Graph, e: Call) -> str:
    """The examples are groups of one picture, as each has a kernel of its own."""
    batch, *size = map(int, e.shape)
    groups = batch * e["groups"]
    weight = as_shape(g, e.inputs[1], (-1, *e.shapes[1][-3:]))
    together = g.reshape(real(g, e.x, e["of"]), [1, batch * size[0], *size[1:]])
    y = g.op("Conv", together, real(g, weight, e["by"]), group=groups, **_window(e))
    y = g.reshape(y, e.out_shape)
    return _activated(g, e, g.op("Add", y, real(g, e.inputs[2], product_of(e["of"], e["by"]))))


@rule("fake_quant")
def _fake_quant(g: Graph, e: Call) -> str:
    known = _rounded(g, e, e.numbers(1), e.numbers(2))
    if known is not None:
        return known
    scale, zero = (_scalar(g, e, k) for k in (1, 2))
    at = g.op("Add", nearest(g, g.op("Div", e.x, scale), e.dtype), zero)
    return g.op("Mul", g.op("Sub", _within(g, e, at), zero), scale)


@rule("tqt")
def _tqt(g: Graph, e: Call) -> str:
    exponent = e.numbers(1)
    known = None if exponent is None else _rounded(g, e, np.exp2(exponent), np.zeros((), _FLOAT))
    if known is not None:
        return known
    step = g.op("Pow", g.like(2, e.dtype), _scalar(g, e, 1))
    return g.op("Mul", _within(g, e, nearest(g, g.op("Div", e.x, step), e.dtype)), step)


@rule("lsq")
def _lsq(g: Graph, e: Call) -> str:
    known = _rounded(g, e, e.numbers(1), e.numbers(2))
    if known is not None:
        return known
    step, zero = (_scalar(g, e, k) for k in (1, 2))
    at = nearest(g, _within(g, e, g.op("Add", g.op("Div", e.x, step), zero)), e.dtype)
    return g.op("Mul", g.op("Sub", at, zero), step)


def _rounded(g: Graph, e: Call, scale: np.ndarray | None, zero: np.ndarray | None) -> str | None:
    """Rounding to steps that are known, as a pair of ``QuantizeLinear`` and ``DequantizeLinear``; None if it has no such form."""
    if scale is None or zero is None or scale.size != 1 or zero.size != 1:
        return None
    step, at, low, high = (float(np.asarray(v).reshape(())) for v in (scale, zero, e["qmin"], e["qmax"]))
    of_constants = e.result()
    kind = next((k for k in _HELD if k.min <= low and high <= k.max), None)
    if kind is None or not at.is_integer() or (kind.dtype == np.int32 and (of_constants is None or at)):
        return None
    dtype, step_of = kind.dtype, g.like(step, _FLOAT)
    zeros = [] if dtype == np.int32 else [g.like(at, dtype)]
    if of_constants is not None:
        numbers = np.rint(of_constants / np.float32(step) + at).astype(dtype)
        held = g.instead(e.x, numbers) if e.x in g.known else g.hold(g.fresh(f"{g.prefix}integers"), numbers)
        made = g.op("DequantizeLinear", held, step_of, *zeros)
        g.pairs[made] = [held, step_of, *zeros]
        return made
    x = e.x
    if (low, high) != (kind.min, kind.max):
        bounds = (g.like((end - at) * step, _FLOAT) for end in (low, high))
        x = g.op("Clip", x, *bounds)
    return g.op("DequantizeLinear", _steps(g, x, step_of, *zeros), step_of, *zeros)


_HELD = [np.iinfo(t) for t in (np.int8, np.uint8, np.int32)]


def _scalar(g: Graph, e: Call, k: int) -> str:
    """A parameter of one element as a scalar."""
    return g.reshape(e.inputs[k], []) if e.shapes[k] and set(e.shapes[k]) == {1} else e.inputs[k]


def _within(g: Graph, e: Call, x: str) -> str:
    return g.op("Clip", x, g.like(e["qmin"], e.dtype), g.like(e["qmax"], e.dtype))
