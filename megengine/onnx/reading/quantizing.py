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
    even = RULES["Round"](Node("Round", {}, [x / scale], 1, e.opset))
    if e.has(2):
        even = even + _across(e.inputs[2], x, e).astype("float32")
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
    x, weight = e.tensor(0).astype("float32"), e.tensor(1).astype("float32")
    x = x - e.tensor(2).astype("float32") if e.has(2) else x
    if e.has(3):
        zero = e.tensor(3).astype("float32")
        weight = weight - (F.reshape(zero, (-1, *[1] * (weight.ndim - 1))) if zero.ndim else zero)
    return convolved(e, x, weight, []).astype("int32")
