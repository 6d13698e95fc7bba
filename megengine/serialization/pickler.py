"""Writes pickles that MegEngine 1.13 reads, with arrays straight from their memory."""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, cast

import numpy as np

from ..graph.device import Device
from ..graph.dtypes import BFLOAT16
from ..optimizer import Optimizer
from ..tensor import Tensor
from .arrays import bytes_of
from .checksum import PAYLOAD, SummedWriter
from .names import name_in_file
from .objects import outgoing

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_BFLOAT16_STATE = (3, "<", None, None, None, 2, 2, 112)  # as MegEngine's, whose flags differ from those of ml_dtypes
_DEPTH = 10_000  # Python frames; an object in another takes about five
_PythonPickler: Any = pickle._Pickler  # its parts have no types


class _Elements:
    """An array that nothing else refers to, so that the pickler need not remember it."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class _Bytes:
    """Bytes to write from where they are."""

    __slots__ = ("view",)

    def __init__(self, view: np.ndarray) -> None:
        self.view = view


class Pickler(_PythonPickler):
    """A pickler of tensors and arrays; other objects as usual, under their names in MegEngine."""

    dispatch: dict[type, Callable[..., None]] = dict(_PythonPickler.dispatch)

    def __init__(self, file: Any, protocol: int) -> None:
        super().__init__(file, protocol)
        self._file = file

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor) and type(obj).__reduce_ex__ is Tensor.__reduce_ex__:
            make, (kind, array, *rest), state = cast("tuple[Any, ...]", obj.__reduce_ex__(self.proto))
            return make, (kind, _Elements(array), *rest), state
        if isinstance(obj, Optimizer):
            make, args, *_ = cast("tuple[Any, ...]", obj.__reduce_ex__(self.proto))
            return make, args, outgoing(obj)
        if isinstance(obj, np.dtype) and obj == BFLOAT16:
            return np.dtype, (BFLOAT16.type, False, True), _BFLOAT16_STATE
        return NotImplemented

    def save_array(self, array: np.ndarray) -> None:
        self._array(array, array)

    def save_elements(self, elements: _Elements) -> None:
        self._array(elements.array, None)

    def _array(self, array: np.ndarray, remembered: Any) -> None:
        if array.dtype.hasobject:
            self.save_reduce(*array.__reduce__(), obj=remembered)
            return
        fortran, view = bytes_of(array)
        state = (1, array.shape, array.dtype, fortran, _Bytes(view))
        self.save_reduce(_RECONSTRUCT, (np.ndarray, (0,), b"b"), state, obj=remembered)

    def save_raw(self, raw: _Bytes) -> None:
        size = len(raw.view)
        if self.proto < 3 or size < 256:
            self.save(raw.view.tobytes())
            return
        if size < 1 << 32:
            header = pickle.BINBYTES + struct.pack("<I", size)
        elif self.proto < 4:
            raise OverflowError(f"pickle_protocol={self.proto} has no arrays of 4 GiB and more: use 4 or higher")
        else:
            header = pickle.BINBYTES8 + struct.pack("<Q", size)
        if size < PAYLOAD:
            self.write(header + raw.view.tobytes())
        else:
            payload = raw.view if isinstance(self._file, SummedWriter) else raw.view.data
            self.framer.write_large_bytes(header, payload)

    def save_device(self, device: Device) -> None:
        self.save(Device)
        self.save(())
        self.write(pickle.NEWOBJ)
        self.memoize(device)
        self.save(device.logical_name)
        self.write(pickle.BUILD)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        here = getattr(obj, "__module__", None) or ""
        called: str = getattr(obj, "__qualname__", "") if name is None else name
        module, wanted = name_in_file(here, called)
        if (module, wanted) == (here, called):
            super().save_global(obj, name)
            return
        if self.proto >= 4:
            self.save(module)
            self.save(wanted)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{wanted}\n".encode())
        self.memoize(obj)

    dispatch[np.ndarray] = save_array
    dispatch[_Elements] = save_elements
    dispatch[_Bytes] = save_raw
    dispatch[Device] = save_device
    dispatch[FunctionType] = save_global


def dump(obj: Any, file: Any, protocol: int) -> None:
    """Pickle an object, however deeply nested."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _DEPTH))
    try:
        Pickler(file, protocol).dump(obj)
    finally:
        sys.setrecursionlimit(limit)
