"""safetensors files, by way of the package of that name."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from ml_dtypes import float8_e4m3fn, float8_e5m2

from .._support.files import replacing
from ..graph.dtypes import BFLOAT16
from ..tensor import Tensor
from .errors import CheckpointError

_LARGEST_HEADER = 100_000_000  # as the package has it
_METADATA = {"format": "np"}
_DTYPES = {
    "BOOL": "bool", "I8": "i1", "U8": "u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8", "U64": "<u8",
    "F16": "<f2", "BF16": BFLOAT16, "F32": "<f4", "F64": "<f8", "C64": "<c8", "F8_E4M3": float8_e4m3fn, "F8_E5M2": float8_e5m2,
}  # fmt: skip
_WRITABLE = {np.dtype(dtype).newbyteorder("=") for dtype in _DTYPES.values()}


def begins(head: bytes) -> bool:
    """Whether a file that begins so is one: the length of a header in JSON, and the JSON."""
    return len(head) >= 10 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= _LARGEST_HEADER


def save(state: Any, path: str) -> None:
    """Write a dictionary of names to arrays or tensors."""
    if not isinstance(state, Mapping):
        raise ValueError(f"a safetensors file holds a dictionary of arrays, not a {type(state).__name__}")
    arrays = {name: _array(name, value) for name, value in state.items()}
    package = _package()
    with replacing(path) as file:
        if file.seekable():
            _save_file(package, arrays, file.name)
        else:
            file.write(package.save(arrays, _METADATA))


def _save_file(package: ModuleType, arrays: dict[str, np.ndarray], name: str) -> None:
    from safetensors import SafetensorError

    try:
        package.save_file(arrays, name, _METADATA)
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from None


def load(file: Any, name: str) -> dict[str, np.ndarray]:
    """Read the arrays of a file that is open."""
    package = _package()
    from safetensors import SafetensorError, deserialize

    try:
        if os.path.isfile(name):
            with contextlib.suppress(AttributeError):  # float8, which the package reads as bytes only
                return dict(package.load_file(name, backend="pread"))
        return {
            key: np.frombuffer(bytearray(entry["data"]), _DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for key, entry in deserialize(file.read())
        }
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(
            f"truncated, damaged or no safetensors file: if it is one, get it again ({error})"
        ) from error


def _package() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            "safetensors files need the package safetensors: install megengine-xla[safetensors]", name="safetensors"
        ) from None
    return safetensors.numpy


def _array(name: Any, value: Any) -> np.ndarray:
    if not isinstance(name, str):
        raise ValueError(f"the names in a safetensors file are strings, not {name!r}")
    if isinstance(value, Tensor):
        value = value.numpy()
    if not isinstance(value, np.ndarray):
        raise ValueError(
            f"a safetensors file holds arrays and tensors only: {name!r} is a {type(value).__name__}; save it as .mge"
        )
    if value.dtype.metadata or value.dtype.newbyteorder("=") not in _WRITABLE:
        raise ValueError(
            f"a safetensors file has no dtype for {name!r}: {value.dtype} {dict(value.dtype.metadata or {})}"
        )
    return np.ascontiguousarray(value).reshape(value.shape)
