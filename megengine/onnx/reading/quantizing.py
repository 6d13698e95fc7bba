"""Quantisation: integers as tensors of int8 and uint8, and what is computed of them in float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from ...tensor import Tensor
from .rules import RULES, Node, as_tensor, axis_of, computes
from .types import dtype_of
from .windows import convolved


def _across(value: Any, x: Tensor, e: Node) -> Tensor:
    """A scale or zero point: one number, one an index of an axis, or one a block of it."""
    found = as_tensor(value)
    if found.size == 1:
        return F.reshape(found, ())
    axis = axis_of(e.get("axis", 1), x.ndim)
    if found.ndim == 1:
        return F.reshape(found, [-1 if k == axis else 1 for k in range(x.ndim)])
    block = e.get("block_size", 0) or -(-x.shape[axis] // found.shape[axis])
    return F.repeat(found, block, axis=axis)[(*[slice(None)] * axis, slice(0, x.shape[axis]))]


@computes("QuantizeLinear")
def _quantize(e: Node) -> Any:
    x, scale = e.tensor(0).astype("float32"), _across(e.inputs[1], e.inputs[0], e).astype("float32")
    given = e.get("output_dtype", 0)
    dtype = np.dtype(e.inputs[2].dtype) if e.has(2) else dtype_of(given) if given else np.dtype(np.uint8)
    if dtype.name not in ("int8", "uint8", "int16", "uint16"):
        raise e.refuse(f"elements of type {dtype} are not supported")
    return _rounded(e, x / scale, _across(e.inputs[2], x, e) if e.has(2) else None, dtype)


def _rounded(e: Node, x: Tensor, zero: Tensor | None, dtype: np.dtype) -> Tensor:
    """Steps as integers, with the zero point added: halves go to the even one."""
    even = RULES["Round"](Node("Round", {}, [x], 1, e.opset))
    if zero is not None:
        even = even + zero.astype("float32")
    limits = np.iinfo(dtype)
    return F.clip(even, float(limits.min), float(limits.max)).astype("int32").astype(dtype)


@computes("DequantizeLinear")
def _dequantize(e: Node) -> Any:
    if np.dtype(e.inputs[0].dtype).name not in ("int8", "uint8", "int16", "uint16", "int32"):
        raise e.refuse(f"elements of type {e.inputs[0].dtype} are not supported")
    x = e.tensor(0)
    values = x.astype("int32")
    if e.has(2):
        values = values - _across(e.inputs[2], x, e).astype("int32")
    scale = _across(e.inputs[1], x, e)
    return (values.astype("float32") * scale.astype("float32")).astype(scale.dtype)


@computes("DynamicQuantizeLinear")
def _dynamic(e: Node) -> Any:
    x = e.tensor()
    low, high = F.minimum(x.min(), 0), F.maximum(x.max(), 0)
    scale = (high - low) / 255
    rounded = RULES["Round"](Node("Round", {}, [-low / scale], 1, e.opset))
    zero = F.clip(rounded, 0.0, 255.0).astype("int32").astype("uint8")
    return [_quantize(Node("QuantizeLinear", {}, [x, scale, zero], 1, e.opset)), scale, zero]


@computes("ConvInteger")
def _conv_integer(e: Node) -> Any:
    x, weight = (_steps(e, k, k + 2, axis=0) for k in (0, 1))
    return convolved(e, x, weight, []).astype("int32")


def _steps(e: Node, k: int, zero: int, axis: int) -> Tensor:
    """Integers less their zero point, one or one an index of an axis, as float32."""
    x = e.tensor(k).astype("float32")
    return x - _along(e.tensor(zero), x, axis).astype("float32") if e.has(zero) else x


def _along(of_axis: Tensor, x: Tensor, axis: int) -> Tensor:
    """One number, or one an index of an axis, so that it broadcasts."""
    if of_axis.size == 1:
        return F.reshape(of_axis, ())
    return F.reshape(of_axis, [-1 if n == axis % x.ndim else 1 for n in range(x.ndim)])


@computes("QLinearConv")
def _linear_conv(e: Node) -> Any:
    x, weight = _steps(e, 0, 2, axis=0), _steps(e, 3, 5, axis=0)
    sums = convolved(e, x, weight, [e.tensor(8).astype("float32")] if e.has(8) else [])
    factor = _along(e.tensor(4), sums, 1) * (e.tensor(1) / e.tensor(6))
    return _rounded(e, sums * factor, e.tensor(7), np.dtype(e.inputs[7].dtype))


@computes("QLinearMatMul")
def _linear_matmul(e: Node) -> Any:
    """The zero point of a first operand is one a row where there are several, that of a second one a column."""
    x, y = _steps(e, 0, 2, axis=-2), _steps(e, 3, 5, axis=-1)
    sums = F.matmul(x, y)
    factor = _along(e.tensor(1), sums, -2) * _along(e.tensor(4), sums, -1) / e.tensor(6)
    return _rounded(e, sums * factor.astype("float32"), e.tensor(7), np.dtype(e.inputs[7].dtype))
