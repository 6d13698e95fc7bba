"""Arrays as safetensors: a length, a header in JSON, and the bytes of all arrays. Needs no package."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from .model import GraphFileError

_ALIGNMENT = 64
_DTYPES = {
    "BOOL": np.dtype("?"), "I8": np.dtype("i1"), "U8": np.dtype("u1"), "I16": np.dtype("<i2"), "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"), "U32": np.dtype("<u4"), "I64": np.dtype("<i8"), "U64": np.dtype("<u8"), "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16), "F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "C64": np.dtype("<c8"),
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a safetensors file.

    Raises:
        GraphFileError: an array has a dtype that such files do not have.
    """
    header, parts, end = {}, [], 0
    for name, array in arrays.items():
        kind = _NAMES.get(np.dtype(array.dtype.str) if array.dtype.metadata else array.dtype)
        if kind is None:
            raise GraphFileError(f"{name!r} has dtype {array.dtype}, which weights cannot have")
        data = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    return b"".join([struct.pack("<Q", len(text)), text, *parts])


def unpack(data: bytes | memoryview) -> dict[str, np.ndarray]:
    """The arrays, which cannot be written to.

    Raises:
        GraphFileError: damaged.
    """
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(bytes(data[8 : 8 + length]))
        body = memoryview(data)[8 + length :]
        return {
            name: np.frombuffer(body[slice(*entry["data_offsets"])], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise GraphFileError(f"the weights in the file are damaged: {error}") from error


def unpack_lazily(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, which are read from it as they are used, and cannot be written to.

    Raises:
        GraphFileError: damaged, or cut off.
    """
    return unpack(np.memmap(path, np.uint8, "r").data if path.stat().st_size else b"")
