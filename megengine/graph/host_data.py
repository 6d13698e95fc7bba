"""Host data into values: MegEngine's rules for dtypes, and a private copy so that later changes to an array do not show."""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import Device
from .dtypes import SUPPORTED, dtype_of
from .errors import ArgumentError, RangeError
from .narrowing import converted
from .recorder import thread
from .scalars import as_float, shown
from .value import Handle, Value, aval, new_handle

_KEPT = frozenset(map(np.dtype, ("float32", "int32", "uint8", "int8", "int16", "uint16", "bool", "float16")))
_NARROW = {"f": np.dtype(np.float32), "i": np.dtype(np.int32), "u": np.dtype(np.int32), "c": np.dtype(np.complex64)}


def to_array(data: Any, dtype: Any = None) -> np.ndarray:
    """A private C-contiguous array of the data in a dtype that MegEngine has (64-bit becomes 32-bit).

    Raises:
        ArgumentError: the data are not numbers, or nested sequences of different lengths.
        RangeError: integers that 32 bits do not hold.
    """
    if dtype is None and type(data) is np.ndarray and data.dtype in _KEPT:
        return np.array(data, order="C")
    if dtype is None:
        array = _numbers(data)
        return converted(array, _own(array.dtype))
    wanted = dtype_of(dtype)
    return converted(_numbers(data, wanted.kind not in "iu"), wanted)


def _own(dtype: np.dtype) -> np.dtype:
    """The dtype that tensors have for numbers of this one, in native byte order."""
    if dtype in SUPPORTED:
        return dtype
    narrow = _NARROW.get(dtype.kind)
    if narrow is None or dtype.itemsize < 4:
        raise ArgumentError(f"tensors have no dtype {dtype.name}; convert with .astype('float32') or .astype('int32')")
    return narrow


def _numbers(data: Any, in_floats: bool = False) -> np.ndarray:
    """The data as an array of numbers of any width, in native byte order; ints of over 64 bits only where floats are wanted."""
    if isinstance(data, (list, tuple)):
        data = [d.numpy() if isinstance(d, Handle) else d for d in data]  # type: ignore[attr-defined]
    elif isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise ArgumentError(
            "cannot make a tensor of an array with masked elements: say what they are with .filled(value)"
        )
    elif isinstance(data, type):
        raise ArgumentError(f"cannot make a tensor of {_describe(data)}: give numbers")
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ArgumentError(f"cannot make a tensor of nested sequences of different lengths: {error}") from None
    if array.dtype == object:
        array = _of_objects(data, array, in_floats)
    if array.dtype.kind not in "biufc" and array.dtype not in SUPPORTED:
        what = _describe(data) if not isinstance(data, np.ndarray) else f"an array of dtype {array.dtype}"
        raise ArgumentError(f"cannot make a tensor of {what}: give numbers")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _of_objects(data: Any, array: np.ndarray, in_floats: bool) -> np.ndarray:
    """The numbers in an array of objects, or of an object that says how to become numbers."""
    if not array.ndim and array.item() is data and hasattr(data, "__dlpack__") and not isinstance(data, type):
        return np.from_dlpack(data)
    elements = array.ravel().tolist()
    for k, element in enumerate(elements):
        if not isinstance(element, (bool, int, float, complex, np.number, np.bool_)):
            inside = "" if element is data else " with an element that is " + _describe(element)
            raise ArgumentError(f"cannot make a tensor of {_describe(data)}{inside}: give numbers")
        if isinstance(element, int) and not -(2**63) <= element < 2**64:
            if not in_floats:
                raise RangeError(f"{shown(element)} does not fit int32; write it as a float")
            elements[k] = as_float(element)
    return np.array(elements).reshape(array.shape)


def host_value(array: np.ndarray, device: Device) -> Value:
    """A value on a private array; it moves to the device when first used."""
    value = Value(None, aval(array.shape, array.dtype), array, device)
    capture = thread.recorder.capture
    if capture is not None:
        capture.data(value)
    return value


def as_constant(data: Any, others: tuple[Any, ...] = ()) -> Handle:
    """An operand that is not a tensor, as one, in the dtype that it takes beside the tensors among ``others``.

    Raises:
        ArgumentError: not numbers.
        RangeError: numbers that this dtype does not hold.
    """
    if data is None:
        raise ArgumentError("the operand is None and is not supported. Was a function's `return` forgotten?")
    tensors = [o._value.aval.dtype for o in others if isinstance(o, Handle)]
    array = _numbers(data, any(t.kind in "fVc" for t in tensors))
    if isinstance(data, (list, tuple)) and not array.size and tensors:
        array = array.astype(bool)  # no numbers, no precision
    # The dtypes that NumPy gives by default say nothing about the precision that is wanted.
    weak = (isinstance(data, (list, tuple)) and array.dtype.kind not in "fc") or array.dtype not in SUPPORTED
    own = _own(array.dtype)
    wanted = _beside(own, tensors, weak) or own
    device = next((o._value.device for o in others if isinstance(o, Handle)), thread.recorder.device)
    return new_handle(host_value(converted(array, wanted, fits=True), device))


def as_operand(data: Any, others: tuple[Any, ...]) -> Any:
    """An operand that is neither tensor nor Python number: as a number where it is like one, else as :func:`as_constant` does."""
    if isinstance(data, np.generic):
        if data.dtype not in SUPPORTED and data.dtype.kind in "iuf":
            return int(data) if data.dtype.kind in "iu" else float(data)
    elif not isinstance(data, type) and not hasattr(data, "__array__") and not hasattr(data, "__len__"):
        if hasattr(data, "__index__"):
            return int(data)
        if hasattr(data, "__float__"):
            return float(data)
    return as_constant(data, others)


def checked_for(value: Any, dtype: np.dtype) -> Any:
    """A Python number that is to be written into a tensor of this dtype.

    Raises:
        RangeError: a float, infinite, too large or no number, for integers.
    """
    if isinstance(value, float) and dtype.kind in "iu" and not -(2**31) - 1 < value < 2**31:
        raise RangeError(f"{value} does not fit {dtype.name}")
    return value


_CATEGORY = {"b": 1, "u": 2, "i": 2, "f": 3, "V": 3, "c": 4}


def _beside(own: np.dtype, tensors: list[np.dtype], weak: bool) -> np.dtype | None:
    """The dtype of host data beside tensors; None leaves it to the op.

    Weak data take the tensors' dtype, and so does an array of a lower category (bool, integer, float).
    """
    highest = max((_CATEGORY[t.kind] for t in tensors), default=0)
    if highest < 2:
        return None
    category = _CATEGORY[own.kind]
    same = [t for t in tensors if _CATEGORY[t.kind] == highest]
    if any(t != same[0] for t in same):
        return None
    if category < highest or (weak and category == highest):
        return same[0]
    if category == highest == 2:
        met = np.promote_types(own, same[0])
        return met if met.itemsize <= 4 else None
    return None


def _describe(data: Any) -> str:
    if data is None:
        return "None"
    if isinstance(data, str):
        return f"the str {data[:60]!r}"
    if isinstance(data, type):
        return f"the class {data.__name__}"
    name = type(data).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
