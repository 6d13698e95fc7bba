"""Arrays of other libraries as values, without a copy, by DLPack (https://dmlc.github.io/dlpack)."""

from __future__ import annotations

import ctypes
from typing import Any

import jax
import numpy as np

from .device import Device, platforms, resolve
from .dtypes import dtype_of
from .errors import ArgumentError
from .value import Value, aval, new_handle

_CPU, _CUDA, _ROCM = 1, 2, 10
# XLA would convert these without saying so.
_TOO_WIDE = ("int64", "float64", "uint32", "complex128")
_CODES = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 5: "complex", 6: "bool"}


class _About(ctypes.Structure):
    """The start of the struct behind a capsule."""

    _fields_ = (
        ("elements", ctypes.c_void_p),
        ("kind", ctypes.c_int32),
        ("number", ctypes.c_int32),
        ("dims", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
    )


class _Capsule:
    """A bare capsule with what the array protocol asks for; good for one use."""

    def __init__(self, capsule: Any) -> None:
        api = ctypes.pythonapi
        api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
        api.PyCapsule_GetPointer.restype = ctypes.c_void_p
        api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
        name = api.PyCapsule_GetName(capsule)
        if name != b"dltensor":
            raise ArgumentError(
                f"from_dlpack: a capsule named {name!r} has been used, is none of DLPack, or is of DLPack 1, which XLA does not "
                "read; give the array itself"
            )
        self.capsule = capsule
        self._about = _About.from_address(api.PyCapsule_GetPointer(capsule, name))

    @property
    def dtype(self) -> str:
        """Such as ``"float32"``."""
        code, bits = self._about.code, self._about.bits
        return f"{_CODES.get(code, f'of DLPack code {code}, bits ')}{bits}"

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._about.kind, self._about.number


def from_dlpack(source: Any) -> Any:
    """A handle on the elements of another library's array.

    Raises:
        ArgumentError: it is no capsule and has no ``__dlpack__``, or a capsule that was used before.
        RuntimeError: a dtype or a device that tensors do not have.
    """
    if type(source).__name__ == "PyCapsule":
        source = _Capsule(source)
    if not hasattr(source, "__dlpack__"):
        raise ArgumentError(
            f"from_dlpack takes a DLPack capsule or an array with __dlpack__, not a {type(source).__name__}"
        )
    device = _device_of(*source.__dlpack_device__())
    name = str(getattr(source, "dtype", "")).rpartition(".")[2]  # PyTorch's are called torch.float32
    if name.endswith(_TOO_WIDE):
        raise RuntimeError(f"from_dlpack: tensors have no dtype {name}; convert the array first")
    array = jax.dlpack.from_dlpack(source)
    return new_handle(Value(None, aval(array.shape, dtype_of(np.dtype(array.dtype))), array, device))


def _device_of(kind: int, number: int) -> Device:
    here = platforms()
    default = next(iter(here))
    if int(kind) == _CPU:
        return resolve("xpux" if default == "cpu" else "cpux")
    if int(kind) not in (_CUDA, _ROCM) or number >= len(here.get("gpu", [])):
        raise RuntimeError(f"from_dlpack: an array on DLPack's device ({int(kind)}, {number}) is on none of ours")
    return resolve("xpux" if default == "gpu" and number == 0 else f"gpu{number}")
