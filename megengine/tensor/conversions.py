"""A tensor in another dtype or on another device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.device import resolve
from ..graph.dtypes import dtype_of
from ..graph.transfer import transfer
from ..graph.value import Handle, Symbol, Value
from ..ops import elemwise, quantized


def requantized(x: Any, wanted: np.dtype) -> Any:
    """Between quantised dtypes, and from and to others, by way of real numbers."""
    have = x._value.aval.dtype
    if quantized.is_quantized(have):
        key = quantized.key_of(have)
        if quantized.is_quantized(wanted) and quantized.key_of(wanted) == key:
            return x
        x = apply(quantized.dequantize, x, of=key)
    if quantized.is_quantized(wanted):
        return apply(quantized.quantize, x, to=quantized.key_of(wanted))
    return x.astype(np.dtype(wanted.name))


def converted(data: Handle, dtype: Any, device: Any) -> Value:
    """The value of an existing tensor for a new one; MegEngine refuses to change its dtype or device here."""
    value = data._value
    if dtype is not None and dtype_of(dtype) != value.aval.dtype:
        have = value.aval.dtype.name
        raise RuntimeError(f"Tensor(tensor, dtype={np.dtype(dtype).name}): the tensor has dtype {have}; use astype()")
    if device is not None and resolve(device).physical != value.device.physical:
        raise RuntimeError(f"Tensor(tensor, device={device!r}): the tensor is on {value.device}; use to()")
    return value


def moved(x: Any, device: Any) -> Any:
    """A tensor on another device."""
    target = resolve(device)
    here = x._value.device
    if target is here or isinstance(x._value, Symbol):
        return apply(elemwise.copy, x)
    return transfer(x, target)
