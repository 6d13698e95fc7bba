"""Saving and loading of tensors, modules, and nested state, in MegEngine's own format: a pickle.

A file that :func:`save` writes ends, after the pickle, in a checksum, which readers that do not know it never reach.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import secrets
import shutil
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from .tensor import Tensor

_DEVICE = re.compile(r"([cxg]pu|cuda|rocm|multithread)(x|\d+)(:\d+)?$")
_TRAILER = struct.Struct("<8sQI")  # magic, length of what stands before, its CRC-32
_MAGIC = b"MGESAVE1"
_CHUNK = 1 << 20
_DAMAGE = (
    EOFError,
    pickle.UnpicklingError,
    UnicodeDecodeError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
)


class CheckpointError(pickle.UnpicklingError, EOFError):
    """A file is truncated, damaged, or no checkpoint."""


def save(obj: Any, f: Any, pickle_module: Any = pickle, pickle_protocol: int = pickle.DEFAULT_PROTOCOL) -> None:
    """Save an object: tensors, modules, state dicts, and whatever else can be pickled, in any nesting.

    A path is written beside and renamed when complete, so that a crash leaves the file that was there.

    Args:
        obj: what to save.
        f: a path, or a binary file object.
        pickle_module: module with ``dump``. Default: :mod:`pickle`
        pickle_protocol: at least 2. Default: that of :mod:`pickle`

    Raises:
        AssertionError: ``f`` is neither.
        ValueError: protocol 0 or 1, which tensors do not survive.
        OSError: the file cannot be written; the message names it.

    Example:
        >>> megengine.save({"step": 3, "weight": Tensor([1.0, 2.0])}, "state.mge")
        >>> megengine.load("state.mge")["weight"].numpy()
        array([1., 2.], dtype=float32)
    """
    if 0 <= pickle_protocol < 2:
        raise ValueError(f"pickle_protocol={pickle_protocol}: tensors need protocol 2 or higher")
    if not isinstance(f, str | os.PathLike):
        if not hasattr(f, "write"):
            raise AssertionError(f"{f} does not support write")
        pickle_module.dump(obj, f, pickle_protocol)
        return
    with _replacing(os.path.realpath(f)) as file:
        summed = _Summed(file)
        pickle_module.dump(obj, summed, pickle_protocol)
        file.write(_TRAILER.pack(_MAGIC, summed.length, summed.crc))


def load(f: Any, map_location: Any = None, pickle_module: Any = pickle) -> Any:
    """Load what :func:`save` or MegEngine saved.

    Loading runs code that the file names, as unpickling always does: load only files that you trust.

    Args:
        f: a path, or a binary file object.
        map_location: where tensors go: a device name for all; a dict from device names to others; or a function from the saved
            device's name to another. Default: the devices they were saved from
        pickle_module: module with ``load``, and ``Unpickler`` where ``map_location`` is given. Default: :mod:`pickle`

    Raises:
        CheckpointError: the file is truncated, damaged, or no checkpoint; an ``EOFError`` and ``UnpicklingError``.
        AssertionError: a key or value of ``map_location`` is not a device name, or it is of another type.
        OSError: the file cannot be read.

    Example:
        >>> megengine.save(Tensor([1, 2]), "x.mge")
        >>> megengine.load("x.mge", map_location="cpu0")
        Tensor([1 2], dtype=int32, device=cpu0:0)
    """
    place = _placement(map_location)
    if not isinstance(f, str | os.PathLike):
        if not hasattr(f, "read"):
            raise TypeError(f"load() takes a path or a binary file object, got {f!r}")
        return _unpickle(f, place, pickle_module, getattr(f, "name", None) or repr(f))
    with open(f, "rb") as file:
        intact = _verify(file, os.fspath(f))
        return _unpickle(file, place, pickle_module, os.fspath(f), intact)


class _Summed(io.RawIOBase):
    """Passes writes on and keeps their length and CRC-32."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.length = 0
        self.crc = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self.crc = zlib.crc32(view, self.crc)
        self.length += view.nbytes
        return self.file.write(view)


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """A file to write that takes ``path``'s place when the block ends without an error."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        with open(path, "wb") as device:  # a pipe or device cannot be replaced
            yield device
        return
    folder, name = os.path.split(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"cannot save to {path}: it is a folder")
    beside = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.tmp")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise type(error)(error.errno, f"cannot save to {path}: {error.strerror}") from None
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Make the rename itself durable, where the system lets folders be synchronised."""
    with contextlib.suppress(OSError):
        handle = os.open(folder or ".", os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _verify(file: BinaryIO, name: str) -> bool:
    """Check the checksum and go back to the start; whether there was one."""
    info = os.fstat(file.fileno())
    if not stat.S_ISREG(info.st_mode):
        return False
    if info.st_size == 0:
        raise CheckpointError(f"cannot load {name}: the file is empty")
    if info.st_size >= _TRAILER.size:
        file.seek(-_TRAILER.size, os.SEEK_END)
        magic, length, expected = _TRAILER.unpack(file.read(_TRAILER.size))
        if magic == _MAGIC:
            file.seek(0)
            found, left = 0, length
            while left and (chunk := file.read(min(_CHUNK, left))):
                found, left = zlib.crc32(chunk, found), left - len(chunk)
            if left or length + _TRAILER.size != info.st_size or found != expected:
                raise CheckpointError(
                    f"cannot load {name}: its content does not match its checksum, the file is damaged"
                )
            file.seek(0)
            return True
    file.seek(0)
    return False


def _unpickle(
    file: Any, place: Callable[[str], Any] | None, pickle_module: Any, name: str, intact: bool = False
) -> Any:
    try:
        if place is None:
            return pickle_module.load(file)
        return _mapping_unpickler(pickle_module, place)(file).load()
    except (ImportError, AttributeError) as error:
        error.add_note(f"while loading {name}: the file needs a class that this program does not have")
        raise
    except _DAMAGE as error:
        if intact:
            error.add_note(f"while loading {name}, whose checksum is right")
            raise
        raise CheckpointError(f"cannot load {name}: truncated, damaged or no checkpoint ({error})") from error
    except RuntimeError as error:
        if "device" in str(error):
            error.add_note(f"while loading {name}: map_location= puts its tensors on other devices")
        raise


def _mapping_unpickler(pickle_module: Any, place: Callable[[str], Any]) -> Any:
    """An Unpickler class that makes tensors on other devices than they were saved from."""

    class Unpickler(pickle_module.Unpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            found = super().find_class(module, name)
            return _placed(found, place) if isinstance(found, type) and issubclass(found, Tensor) else found

    return Unpickler


def _placed(kind: type[Tensor], place: Callable[[str], Any]) -> type:
    """Stands for a tensor class where instances are made: they come out as that class, on the device wanted."""

    class Placed:
        def __new__(cls, data: Any = None, dtype: Any = None, device: str = "xpux") -> Any:
            # Before MegEngine 1.2, tensors were pickled without arguments and got their data as state.
            return kind.__new__(kind) if data is None else kind(data, dtype=dtype, device=place(device))

    return Placed


def _placement(map_location: Any) -> Callable[[str], Any] | None:
    """``map_location`` as a function from device name to device name; None keeps the names."""
    if map_location is None:
        return None
    if isinstance(map_location, str):
        return lambda device: map_location
    if isinstance(map_location, Mapping):
        for name in (*map_location.keys(), *map_location.values()):
            if not (isinstance(name, str) and _DEVICE.match(name)):
                raise AssertionError(f"map_location: {name!r} is not a device name such as cpu0, gpu1 or xpux")
        streams = {_with_stream(name): target for name, target in map_location.items()}
        return lambda device: streams.get(_with_stream(device), map_location.get(device.partition(":")[0], device))
    if callable(map_location):
        return map_location  # type: ignore[no-any-return]
    raise AssertionError(f"map_location should be str, dict or function, got {map_location!r}")


def _with_stream(device: str) -> str:
    return device if ":" in device else f"{device}:0"
