"""Host data into values: MegEngine's rules for dtypes, and a private copy so that later changes to an array do not show."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import record
from .device import Device
from .dtypes import dtype_of
from .errors import ArgumentError
from .record import thread
from .value import Handle, Value, aval, new_handle

_NARROW = {
    np.dtype(wide): np.dtype(narrow)
    for wide, narrow in (
        ("float64", "float32"),
        ("int64", "int32"),
        ("uint64", "int32"),
        ("uint32", "int32"),
        ("complex128", "complex64"),
    )
}


_KEPT = frozenset(map(np.dtype, ("float32", "int32", "uint8", "int8", "int16", "uint16", "bool", "float16")))


def to_array(data: Any, dtype: Any = None) -> np.ndarray:
    """A private C-contiguous array of the data in a dtype that MegEngine has (64-bit becomes 32-bit).

    Raises:
        ArgumentError: the data are not numbers, nested sequences of different lengths, or unsigned integers of 32 bits or more.
    """
    if dtype is None and type(data) is np.ndarray and data.dtype in _KEPT:
        return np.array(data, order="C")
    if isinstance(data, (list, tuple)):
        data = [d.numpy() if isinstance(d, Handle) else d for d in data]  # type: ignore[attr-defined]
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ArgumentError(f"cannot make a tensor of nested sequences of different lengths: {error}") from None
    if array.dtype == object or array.dtype.kind in "USMm":
        raise ArgumentError(f"cannot make a tensor of {_describe(data)}: give numbers")
    if array.dtype.name in ("uint32", "uint64"):
        raise ArgumentError(f"tensors have no dtype {array.dtype.name}; convert with .astype('int32')")
    wanted = dtype_of(dtype) if dtype is not None else _NARROW.get(array.dtype, array.dtype)
    return np.array(array, wanted, order="C", copy=True)


def host_value(array: np.ndarray, device: Device) -> Value:
    """A value on a private array; it moves to the device when first used."""
    value = Value(None, aval(array.shape, array.dtype), array, device)
    capture = thread.graph.capture
    if capture is not None:
        capture.data(value)
    return value


def as_constant(data: Any, others: tuple[Any, ...] = ()) -> Handle:
    """An operand that is not a tensor, as one, in the dtype that it takes beside the tensors among ``others``.

    Raises:
        RuntimeError: float64 data, or int64 data beside integer tensors: neither has a place in MegEngine's promotion.
        ArgumentError: not numbers.
    """
    if data is None:
        raise ArgumentError("the operand is None and is not supported.")
    array = to_array(data)
    tensors = [o._value.aval.dtype for o in others if isinstance(o, Handle)]
    if isinstance(data, (np.ndarray, np.generic)):
        if data.dtype.name == "float64":
            raise RuntimeError(
                "a float64 array or NumPy float64 scalar cannot be an operand: convert it with .astype('float32') or float()"
            )
        if data.dtype.name == "int64" and any(t.kind in "iub" for t in tensors):
            raise RuntimeError(
                "an int64 array cannot be an operand beside integer tensors: convert it with .astype('int32')"
            )
    wanted = _beside(array.dtype, tensors, listed=isinstance(data, (list, tuple)))
    device = next((o._value.device for o in others if isinstance(o, Handle)), thread.graph.device)
    return new_handle(host_value(array if wanted is None else array.astype(wanted), device))


_CATEGORY = {"b": 1, "u": 2, "i": 2, "f": 3, "V": 3, "c": 4}


def _beside(own: np.dtype, tensors: list[np.dtype], listed: bool) -> np.dtype | None:
    """The dtype of host data beside tensors; None leaves it to the op.

    Lists of integers and bools take the tensors' dtype, and so does an array of a lower category (bool, integer, float).
    """
    highest = max((_CATEGORY[t.kind] for t in tensors), default=0)
    if highest < 2:
        return None
    category = _CATEGORY[own.kind]
    same = [t for t in tensors if _CATEGORY[t.kind] == highest]
    if any(t != same[0] for t in same):
        return None
    if category < highest or (listed and category == highest):
        return same[0]
    if category == highest == 2:
        met = np.promote_types(own, same[0])
        return met if met.itemsize <= 4 else None
    return None


def _describe(data: Any) -> str:
    if data is None:
        return "None"
    return f"the str {data[:60]!r}" if isinstance(data, str) else f"a {type(data).__name__}"


record.as_constant = as_constant
