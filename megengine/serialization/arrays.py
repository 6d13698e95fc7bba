"""NumPy dtypes and arrays from what a pickle says of them, checked: NumPy itself believes a pickle every pointer."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np

from ..graph.dtypes import BFLOAT16

_DATES = "mM"
_ALIGN = 64
_HUGE = 1 << 21  # a huge page, which the system gives from addresses divisible by its size on
_LARGE = 1 << 22
_BLOCK = 1 << 25


class Payload:
    """The bytes of an array, in memory that the array takes over."""

    __slots__ = ("buffer", "taken", "__weakref__")

    def __init__(self, buffer: np.ndarray) -> None:
        self.buffer = buffer
        self.taken = False

    def take(self) -> np.ndarray:
        """The memory; a copy if another array has it."""
        buffer = self.buffer.copy() if self.taken else self.buffer
        self.taken = True
        return buffer


class Memory:
    """Uninitialised bytes for arrays, at addresses that JAX can use without copying.

    Small arrays share blocks, large enough for the system to give them huge pages; a block lives as long as one of them.

    Args:
        total: bytes that will be asked for, about.
    """

    def __init__(self, total: int) -> None:
        self._left = total
        self._block = np.empty(0, np.uint8)

    def take(self, size: int) -> np.ndarray:
        """So many bytes."""
        if size >= _LARGE:
            return _aligned(size)
        if size > len(self._block):
            self._block = _aligned(max(size, min(_BLOCK, self._left)))
        end = -(-size // _ALIGN) * _ALIGN
        taken, self._block = self._block[:size], self._block[end:]
        self._left -= size
        return taken


def _aligned(size: int) -> np.ndarray:
    unit = _HUGE if size >= _LARGE else _ALIGN
    room = np.empty(size + unit, np.uint8)
    start = -room.__array_interface__["data"][0] % unit
    return room[start : start + size]


def dtype_from(args: tuple[Any, ...], state: Any) -> np.dtype:
    """The dtype whose ``__reduce__`` gave these arguments and this state; state None is that of a plain one.

    Raises:
        UnpicklingError: there is no such dtype.
    """
    try:
        dtype = np.dtype(args[0])
        if state is None or dtype == BFLOAT16:
            return dtype
        version, order, subdtype, names, fields, size, _, _, *rest = state
        if version not in (3, 4) or order not in "<>|=":
            raise ValueError(f"version {version!r}, byte order {order!r}")
        metadata = rest[0] if rest else None
        if dtype.kind in _DATES and metadata is not None:
            metadata, (unit, count, *_) = metadata
            dtype = np.dtype(f"{dtype.kind}8[{int(count)}{_unit(unit)}]")
        if subdtype is not None:
            dtype = np.dtype(subdtype)
        elif names is not None:
            dtype = _record(names, [fields[name] for name in names], size)
        elif order in "<>":
            dtype = dtype.newbyteorder(order)
        return np.dtype(dtype, metadata=dict(metadata)) if metadata else dtype  # type: ignore[call-overload]
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise pickle.UnpicklingError(f"no dtype has arguments {args!r} and state {state!r}: {error}") from None


def _record(names: Any, parts: list[Any], size: int) -> np.dtype:
    return np.dtype(
        {
            "names": list(names),
            "formats": [part[0] for part in parts],
            "offsets": [part[1] for part in parts],
            "titles": [part[2] if len(part) > 2 else None for part in parts],
            "itemsize": size,
        }
    )


def _unit(unit: Any) -> str:
    return unit.decode("ascii") if isinstance(unit, bytes) else str(unit)


def array_from(shape: Any, dtype: Any, fortran: Any, data: Any) -> np.ndarray:
    """An array of its own of a shape, a dtype, and the elements: a :class:`Payload`, bytes, or a list of objects.

    Raises:
        UnpicklingError: they do not fit.
    """
    if isinstance(shape, int):
        shape = (shape,)
    if not (isinstance(dtype, np.dtype) and isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)):
        raise pickle.UnpicklingError(f"no array has shape {shape!r} and dtype {dtype!r}")
    order: Any = "F" if fortran else "C"
    count = math.prod(shape)
    if dtype.hasobject:
        return _objects(shape, dtype, order, data)
    if isinstance(data, str):
        data = data.encode("latin1")  # a pickle of Python 2
    if isinstance(data, Payload):
        buffer = data.take()
    elif isinstance(data, bytes | bytearray):
        buffer = np.frombuffer(data, np.uint8).copy()
    else:
        raise pickle.UnpicklingError(f"the elements of an array are a {type(data).__name__}")
    if len(buffer) != count * dtype.itemsize:
        raise pickle.UnpicklingError(f"an array of {count} elements of {dtype} in {len(buffer)} bytes")
    return np.ndarray(shape, dtype, buffer, order=order)


def _objects(shape: tuple[int, ...], dtype: np.dtype, order: Any, data: Any) -> np.ndarray:
    count = math.prod(shape)
    if dtype.kind != "O" or not isinstance(data, list) or len(data) != count:
        raise pickle.UnpicklingError(f"an array of {dtype} takes a list of {count} objects")
    objects = np.empty(count, object)
    for i, item in enumerate(data):
        objects[i] = item
    return objects.reshape(shape, order=order)


def bytes_of(array: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether Fortran's order is that of the elements in memory, and the elements as bytes, copied only if they have gaps."""
    fortran = bool(array.flags.fnc)
    whole = np.ascontiguousarray(array.T if fortran else array)
    if not array.dtype.itemsize or not array.size:
        return fortran, np.empty(0, np.uint8)
    return fortran, whole.reshape(-1).view(np.uint8)
