"""Host data into values: MegEngine's rules for dtypes, and a private copy so that later changes to an array do not show."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import record
from .device import Device
from .dtypes import dtype_of
from .record import thread
from .value import Handle, Value, aval, new_handle

_NARROW = {"float64": np.float32, "int64": np.int32, "uint64": np.int32, "uint32": np.int32, "complex128": np.complex64}


def to_array(data: Any, dtype: Any = None) -> np.ndarray:
    """A private C-contiguous array of the data in a dtype that MegEngine has (64-bit becomes 32-bit).

    Raises:
        TypeError: the data are not numbers.
        ValueError: nested sequences of different lengths.
    """
    if isinstance(data, (list, tuple)):
        data = [d.numpy() if isinstance(d, Handle) else d for d in data]  # type: ignore[attr-defined]
    array = np.asarray(data)
    if array.dtype == object or array.dtype.kind in "USMm":
        raise TypeError(f"cannot make a tensor of {type(data).__name__} holding {array.dtype}: give numbers")
    wanted = dtype_of(dtype) if dtype is not None else np.dtype(_NARROW.get(array.dtype.name, array.dtype))
    return np.array(array, wanted, order="C", copy=True)


def host_value(array: np.ndarray, device: Device) -> Value:
    """A value on a private array; it moves to the device when first used."""
    return Value(None, aval(array.shape, array.dtype), array, device)


def as_constant(data: Any, others: tuple[Any, ...] = ()) -> Handle:
    """An operand that is not a tensor, as one.

    Raises:
        RuntimeError: float64 data, or int64 data beside integer tensors: neither has a place in MegEngine's promotion.
        TypeError: not numbers.
    """
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.name == "float64":
        raise RuntimeError("a float64 array or NumPy float64 scalar cannot be an operand: convert it with .astype('float32') or float()")
    if data is None:
        raise TypeError("None cannot be an operand")
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.name == "int64":
        if any(isinstance(o, Handle) and not o._value.aval.is_float for o in others):
            raise RuntimeError("an int64 array cannot be an operand beside integer tensors: convert it with .astype('int32')")
    return new_handle(host_value(to_array(data), thread.graph.device))


record.as_constant = as_constant
