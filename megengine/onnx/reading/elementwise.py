"""Arithmetic, comparisons, mathematical functions and activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ... import functional as F
from ...graph.apply import apply
from ...ops import elemwise
from ...ops.activation import gelu, hsigmoid, hswish, prelu, softplus
from ...tensor import Tensor
from .rules import Node, as_tensor, computes
from .types import dtype_of, saturated

_UNARY: dict[str, Callable[[Tensor], Any]] = {
    "Abs": F.abs, "Acos": F.acos, "Acosh": F.acosh, "Asin": F.asin, "Asinh": F.asinh, "Atan": F.atan, "Atanh": F.atanh,
    "Ceil": F.ceil, "Cos": F.cos, "Cosh": F.cosh, "Erf": lambda x: apply(elemwise.erf, x), "Exp": F.exp, "Floor": F.floor,
    "Log": F.log, "Neg": F.neg, "Not": F.logical_not, "Reciprocal": lambda x: 1.0 / x, "Relu": lambda x: F.maximum(x, 0),
    "Sigmoid": F.sigmoid, "Sign": F.sign, "Sin": F.sin, "Sinh": F.sinh, "Sqrt": F.sqrt, "Tan": F.tan, "Tanh": F.tanh,
    "Softplus": lambda x: apply(softplus, x), "Softsign": lambda x: x / (1 + F.abs(x)), "HardSwish": lambda x: apply(hswish, x),
    "Mish": lambda x: x * F.tanh(apply(softplus, x)), "IsNaN": lambda x: apply(elemwise.isnan, x),
}  # fmt: skip
_BINARY: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "Add": F.add, "Sub": F.sub, "Mul": F.mul, "And": F.logical_and, "Or": F.logical_or, "Xor": F.logical_xor, "Equal": F.equal,
    "Less": F.less, "LessOrEqual": F.less_equal, "Greater": F.greater, "GreaterOrEqual": F.greater_equal,
}  # fmt: skip
_MANY: dict[str, Callable[[Tensor, Tensor], Any]] = {"Max": F.maximum, "Min": F.minimum, "Sum": F.add}


@computes(*_UNARY)
def _unary(e: Node) -> Any:
    return _UNARY[e.kind](e.tensor())


@computes("Identity")
def _identity(e: Node) -> Any:
    return [e.inputs[0]]


@computes(*_BINARY)
def _binary(e: Node) -> Any:
    x, y = e.tensors()
    if e.opset < 7 and e.get("broadcast") and y.ndim and e.get("axis") is not None:
        y = F.reshape(y, (*y.shape, *[1] * (x.ndim - y.ndim - e.get("axis"))))
    return _BINARY[e.kind](x, y)


@computes(*_MANY)
def _many(e: Node) -> Any:
    return reduce(_MANY[e.kind], e.tensors())


@computes("Mean")
def _mean(e: Node) -> Any:
    return reduce(F.add, e.tensors()) / len(e.inputs)


@computes("Div")
def _div(e: Node) -> Any:
    """Of integers towards zero."""
    x, y = e.tensors()
    if x.dtype.kind not in "iu":
        return x / y
    down = apply(elemwise.floor_div, x, y)
    rest = x - down * y
    return down + F.logical_and(F.not_equal(rest, 0), F.not_equal(F.less(x, 0), F.less(y, 0))).astype(x.dtype)


@computes("Mod")
def _mod(e: Node) -> Any:
    """The divisor's sign, or with ``fmod`` the dividend's."""
    x, y = e.tensors()
    if x.dtype.kind not in "iu":
        rest = apply(elemwise.mod, x, y)
        other = F.logical_and(F.not_equal(rest, 0), F.not_equal(F.less(rest, 0), F.less(y, 0)))
        return rest if e.get("fmod", 0) else F.where(other, rest + y, rest)
    if not e.get("fmod", 0):
        return apply(elemwise.mod, x, y)
    size = apply(elemwise.mod, F.abs(x), F.abs(y))
    return F.where(F.less(x, 0), -size, size)


@computes("Pow")
def _pow(e: Node) -> Any:
    x, y = e.tensors()
    if x.dtype.kind in "iu":
        return F.round(F.pow(x.astype("float32"), y)).astype(x.dtype)
    if not isinstance(e.inputs[1], Tensor) and np.size(e.inputs[1]) == 1 and float(np.reshape(e.inputs[1], -1)[0]) == 2:
        return x * x
    return F.pow(x, y).astype(x.dtype)


@computes("BitShift")
def _bit_shift(e: Node) -> Any:
    x, y = e.tensors()
    moved = F.left_shift if e.get("direction") == "LEFT" else F.right_shift
    return moved(x, y)


@computes("IsInf")
def _is_inf(e: Node) -> Any:
    x = e.tensor()
    up, down = F.equal(x, np.inf), F.equal(x, -np.inf)
    if not e.get("detect_negative", 1):
        return up
    return F.logical_or(up, down) if e.get("detect_positive", 1) else down


@computes("Round")
def _round(e: Node) -> Any:
    """Half to even."""
    x = e.tensor()
    low = F.floor(x)
    apart = x - low
    odd = F.not_equal(low - F.floor(low / 2) * 2, 0)
    up = F.logical_or(apart > 0.5, F.logical_and(F.equal(apart, 0.5), odd))
    return F.where(F.equal(x, low), x, low + up.astype(x.dtype))


@computes("Clip", host=())
def _clip(e: Node) -> Any:
    x = e.tensor()
    low = e.inputs[1] if e.has(1) else e.get("min")
    high = e.inputs[2] if e.has(2) else e.get("max")
    if low is not None:
        x = F.maximum(x, _like(low, x))
    return x if high is None else F.minimum(x, _like(high, x))


def _like(value: Any, x: Tensor) -> Tensor:
    return as_tensor(value).astype(x.dtype)


@computes("Where")
def _where(e: Node) -> Any:
    return F.where(e.tensor(0), *[as_tensor(v) for v in e.inputs[1:]])


@computes("Cast")
def _cast(e: Node) -> Any:
    return cast(e.inputs[0], e, dtype_of(e.get("to")))


@computes("CastLike")
def _cast_like(e: Node) -> Any:
    like = e.inputs[1]
    return cast(e.inputs[0], e, np.dtype(like.dtype))


def cast(value: Any, e: Node, dtype: np.dtype) -> Any:
    """A value in another dtype; 64 bits are 32 in tensors."""
    if not isinstance(value, Tensor):
        return saturated(np.asarray(value), dtype)
    target = {"int64": "int32", "uint32": "int32", "uint64": "int32", "float64": "float32"}.get(dtype.name, dtype)
    if np.dtype(target) == value.dtype:
        return value
    return value.astype(target)


@computes("Elu")
def _elu(e: Node) -> Any:
    x = e.tensor()
    return F.where(x > 0, x, e.get("alpha", 1.0) * apply(elemwise.expm1, F.minimum(x, 0)))


@computes("Celu")
def _celu(e: Node) -> Any:
    x, alpha = e.tensor(), e.get("alpha", 1.0)
    return F.maximum(x, 0) + F.minimum(alpha * apply(elemwise.expm1, x / alpha), 0)


@computes("Selu")
def _selu(e: Node) -> Any:
    x = e.tensor()
    alpha, gamma = e.get("alpha", 1.6732632423543772), e.get("gamma", 1.0507009873554805)
    return gamma * F.where(x > 0, x, alpha * apply(elemwise.expm1, F.minimum(x, 0)))


@computes("LeakyRelu")
def _leaky_relu(e: Node) -> Any:
    return F.leaky_relu(e.tensor(), e.get("alpha", 0.01))


@computes("PRelu")
def _prelu(e: Node) -> Any:
    return apply(prelu, *e.tensors())


@computes("ThresholdedRelu")
def _thresholded_relu(e: Node) -> Any:
    x = e.tensor()
    return F.where(x > e.get("alpha", 1.0), x, F.zeros_like(x))


@computes("HardSigmoid")
def _hard_sigmoid(e: Node) -> Any:
    alpha, beta = e.get("alpha", 0.2), e.get("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-7 and beta == 0.5:
        return apply(hsigmoid, e.tensor())
    return F.clip(e.tensor() * alpha + beta, 0.0, 1.0)


@computes("Gelu")
def _gelu(e: Node) -> Any:
    x = e.tensor()
    if e.get("approximate", "none") == "none":
        return apply(gelu, x)
    return 0.5 * x * (1 + F.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))


@computes("Swish")
def _swish(e: Node) -> Any:
    x = e.tensor()
    return x * F.sigmoid(x * e.get("alpha", 1.0))


@computes("Shrink")
def _shrink(e: Node) -> Any:
    x, bias, limit = e.tensor(), e.get("bias", 0.0), e.get("lambd", 0.5)
    shrunk = F.where(x < -limit, x + bias, F.where(x > limit, x - bias, F.zeros_like(x)))
    return shrunk.astype(x.dtype)


@computes("Softmax", "LogSoftmax")
def _softmax(e: Node) -> Any:
    x, function = e.tensor(), F.softmax if e.kind == "Softmax" else F.logsoftmax
    if e.opset >= 13:
        return function(x, axis=e.get("axis", -1))
    axis = e.get("axis", 1) % x.ndim  # of all dimensions from there on, as one
    flat = F.reshape(x, (int(np.prod(x.shape[:axis])), -1))
    return F.reshape(function(flat, axis=1), x.shape)


@computes("Hardmax")
def _hardmax(e: Node) -> Any:
    x = e.tensor()
    axis = e.get("axis", -1 if e.opset >= 13 else 1) % x.ndim
    flat = x if e.opset >= 13 else F.reshape(x, (int(np.prod(x.shape[:axis])), -1))
    at = axis if e.opset >= 13 else 1
    best = F.expand_dims(F.argmax(flat, axis=at), at)
    shape = [1] * flat.ndim
    shape[at] = flat.shape[at]
    places = Tensor(np.arange(flat.shape[at], dtype=np.int32).reshape(shape))
    return F.reshape(F.equal(best, places).astype(x.dtype), x.shape)
