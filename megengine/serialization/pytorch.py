"""State dicts that PyTorch saved, read without PyTorch, as NumPy arrays.

Both forms: the zip archive since 1.6, and the sequence of pickles before. A storage is read once, so tensors that share one
there are arrays that share memory here.
"""

from __future__ import annotations

import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from .arrays import Memory
from .checksum import CHUNK
from .errors import CheckpointError, RefusedError
from .names import Allowed
from .unpickler import Function, Unpickler

_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY = b"\x80\x02\x8a\n" + _MAGIC.to_bytes(10, "little")
_ZIP = b"PK\x03\x04"
_DTYPES: dict[str, Any] = {
    "float64": "f8", "float32": "f4", "float16": "f2", "bfloat16": ml_dtypes.bfloat16, "complex64": "c8", "complex128": "c16",
    "int64": "i8", "int32": "i4", "int16": "i2", "int8": "i1", "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
    "bool": "?", "float8_e4m3fn": ml_dtypes.float8_e4m3fn, "float8_e5m2": ml_dtypes.float8_e5m2,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
}  # fmt: skip
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool", "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
}  # fmt: skip


def begins(head: bytes) -> bool:
    """Whether a file that begins so may be one."""
    return head.startswith((_ZIP, _LEGACY))


def load(file: Any, name: str) -> Any:
    """What a file that is open holds, its tensors as arrays.

    Raises:
        CheckpointError: it is damaged, no file of PyTorch's, or a TorchScript program.
        RefusedError: it holds more than tensors and plain data.
    """
    head = file.read(len(_LEGACY))
    file.seek(-len(head), 1)
    try:
        return _legacy(file, name) if head == _LEGACY else _zipped(file, name)
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"truncated or damaged ({error})") from error


class Storage:
    """Memory that tensors are views of."""

    __slots__ = ("data", "dtype")

    def __init__(self, data: np.ndarray, dtype: np.dtype) -> None:
        self.data = data
        self.dtype = dtype

    def view(self, offset: Any, shape: Any, strides: Any) -> np.ndarray:
        """The array of a shape whose strides count elements, as the offset does."""
        sizes = (offset, *shape, *strides)
        if len(shape) != len(strides) or not all(type(n) is int and n >= 0 for n in sizes):
            raise pickle.UnpicklingError(f"no tensor has offset {offset!r}, shape {shape!r} and strides {strides!r}")
        if 0 in shape:
            return np.empty(shape, self.dtype)
        width = self.dtype.itemsize
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if (last + 1) * width > len(self.data):
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
        return np.ndarray(shape, self.dtype, self.data, offset * width, [step * width for step in strides])


class _Named:
    """One of PyTorch's storage types, dtypes or tensor classes, by name."""

    __slots__ = ("name",)

    name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "name", name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("a checkpoint may not change PyTorch's classes")


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any = None, hooks: Any = None, flags: Any = None
) -> np.ndarray:
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError(f"a tensor in {storage!r}")
    array = storage.view(offset, shape, strides)
    if isinstance(flags, dict) and flags.get("conj"):
        array = np.conj(array)
    return -array if isinstance(flags, dict) and flags.get("neg") else array


def _typed_tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *flags: Any
) -> Any:
    typed = Storage(storage.data, _dtype(dtype))
    return _tensor(typed, offset, shape, strides, grad, hooks, *flags)


def _of_class(make: Any, cls: Any, args: Any, state: Any) -> Any:
    if type(make) is not Function or type(cls) is not _Named:
        raise pickle.UnpicklingError(f"a tensor of class {cls!r}")
    return make.run(*args)


def _first(data: Any, *_: Any) -> Any:
    return data


def _dtype(named: Any) -> np.dtype:
    if type(named) is not _Named or named.name not in _DTYPES:
        raise pickle.UnpicklingError(f"a dtype {getattr(named, 'name', named)!r}")
    return np.dtype(_DTYPES[named.name])


_FUNCTIONS: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): Function(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Function(_tensor),
    ("torch._utils", "_rebuild_tensor_v3"): Function(_typed_tensor),
    ("torch._utils", "_rebuild_parameter"): Function(_first),
    ("torch._utils", "_rebuild_parameter_with_state"): Function(_first),
    ("torch._tensor", "_rebuild_from_type_v2"): Function(_of_class),
    ("torch._tensor", "_rebuild_from_type"): Function(_of_class),
    ("torch", "Size"): Function(lambda sizes=(): tuple(sizes)),
    ("torch", "device"): Function(lambda kind, index=None: kind if index is None else f"{kind}:{index}"),
    ("torch.serialization", "_get_layout"): Function(lambda name: name),
}
_CLASSES = {("torch", "Tensor"), ("torch.nn.parameter", "Parameter"), ("torch.nn.parameter", "Buffer")}


class _TorchUnpickler(Unpickler):
    """An unpickler that knows PyTorch's names, and where storages are."""

    def __init__(self, file: Any, storage: Callable[..., Any]) -> None:
        super().__init__(file, None, Allowed(()))
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _FUNCTIONS:
            return _FUNCTIONS[module, name]
        if (module, name) in _CLASSES or (
            module in ("torch", "torch.storage") and (name in _STORAGES or name in _DTYPES)
        ):
            return _Named(name)
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        kind, *rest = pid
        if kind != "storage" or type(rest[0]) is not _Named:
            raise pickle.UnpicklingError(f"an object {pid!r} outside the pickle")
        return self._storage(np.dtype(_DTYPES[_STORAGES[rest[0].name]]), *rest[1:])


def _unpickled(file: Any, storage: Callable[..., Any], name: str) -> Any:
    unpickler = _TorchUnpickler(file, storage)
    try:
        result = unpickler.load()
    except Exception:
        if not unpickler.refused:
            raise
    if unpickler.refused:
        listed = ", ".join(unpickler.refused)
        raise RefusedError(
            f"cannot load {name}: a file of PyTorch's that holds more than tensors and plain data: {listed}. Save the module's "
            "state_dict() there, or what of it is tensors",
            unpickler.refused,
        )
    return result


def _zipped(file: Any, name: str) -> Any:
    archive = zipfile.ZipFile(file)
    entries = {info.filename: info for info in archive.infolist()}
    found = [entry for entry in entries if entry.rpartition("/")[2] == "data.pkl"]
    if not found:
        raise CheckpointError("a zip archive, but not one of PyTorch's")
    root = found[0].removesuffix("data.pkl")
    if any(entry.startswith((f"{root}code/", f"{root}constants.pkl")) for entry in entries):
        raise CheckpointError("a TorchScript program, which only PyTorch reads; save its state_dict() there")
    order = archive.read(f"{root}byteorder").decode() if f"{root}byteorder" in entries else "little"
    storages: dict[str, np.ndarray] = {}

    def storage(dtype: np.dtype, key: str, location: str, size: int) -> Storage:
        if key not in storages:
            data = _member(archive, file, entries[f"{root}data/{key}"])
            storages[key] = _swapped(data, dtype) if order != sys.byteorder else data
        if len(storages[key]) < size * dtype.itemsize:
            raise pickle.UnpicklingError(f"storage {key} is shorter than {size} elements")
        return Storage(storages[key], dtype)

    with archive.open(found[0]) as pickled:
        return _unpickled(pickled, storage, name)


def _member(archive: zipfile.ZipFile, file: Any, info: zipfile.ZipInfo) -> np.ndarray:
    """The bytes of a member, read in one go if it is stored as it is, and checked."""
    if info.compress_type != zipfile.ZIP_STORED:
        return np.frombuffer(bytearray(archive.read(info)), np.uint8)
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or not header.startswith(_ZIP):
        raise zipfile.BadZipFile(f"no member at {info.header_offset}")
    names, extra = struct.unpack("<HH", header[26:30])
    file.seek(names + extra, 1)
    if info.file_size > _left(file):
        raise EOFError("the file is truncated")
    return _filled(file, Memory(0).take(info.file_size), info.CRC)


def _filled(file: Any, data: np.ndarray, expected: int | None = None) -> np.ndarray:
    crc = 0
    for start in range(0, len(data), CHUNK):
        piece = data[start : start + CHUNK]
        if file.readinto(piece) != len(piece):
            raise EOFError("the file is truncated")
        if expected is not None:
            crc = zlib.crc32(piece.data, crc)
    if expected is not None and crc != expected:
        raise CheckpointError("the elements of a tensor do not match their checksum")
    return data


def _swapped(data: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return data.view(f"u{dtype.itemsize}").byteswap().view(np.uint8)


def _legacy(file: Any, name: str) -> Any:
    def none(*pid: Any) -> Any:
        raise pickle.UnpicklingError("a storage in the file's head")

    _unpickled(file, none, name)  # the magic number
    version = _unpickled(file, none, name)
    if version != 1001:
        raise CheckpointError(f"version {version!r} of PyTorch's files is unknown")
    little = _unpickled(file, none, name)["little_endian"]
    storages: dict[str, Storage] = {}

    def storage(dtype: np.dtype, key: str, location: str, size: int, view: Any = None) -> Storage:
        if key not in storages:
            if not (type(size) is int and 0 <= size * dtype.itemsize <= _left(file)):
                raise EOFError(f"the file is too short for a storage of {size!r} elements")
            storages[key] = Storage(Memory(0).take(size * dtype.itemsize), dtype)
        if view is None:
            return storages[key]
        _, offset, length = view
        return Storage(storages[key].view(offset, (length,), (1,)).view(np.uint8), dtype)

    start = file.tell()
    _unpickled(file, storage, name)
    for key in _unpickled(file, none, name):
        kept = storages[key]
        (count,) = struct.unpack("<q" if little else ">q", file.read(8))
        if count * kept.dtype.itemsize != len(kept.data):
            raise pickle.UnpicklingError(f"storage {key} has {count} elements")
        _filled(file, kept.data)
        if little != (sys.byteorder == "little"):
            kept.data[:] = _swapped(kept.data, kept.dtype)
    file.seek(start)
    return _unpickled(file, storage, name)  # once more, now that storages have their elements: some tensors are copies


def _left(file: Any) -> int:
    here = file.tell()
    left: int = file.seek(0, 2) - here
    file.seek(here)
    return left
