"""``save`` and ``load``: which format a file has, and what to say when it cannot be read."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from .._support.files import replacing
from ..graph import exclusive
from . import foreign, pickler, pytorch, safetensors
from .checksum import SummedWriter, verified_payloads
from .errors import CheckpointError, RefusedError
from .location import mapping_unpickler, placement
from .names import Allowed, refusal
from .unpickler import MISSING, Unpickler

_DAMAGE = (
    EOFError,
    AttributeError,
    pickle.UnpicklingError,
    UnicodeDecodeError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
)

# What reading beyond a file's end is told by.
_SHORT = ("truncated", "exhausted", "Ran out of input", "requires a buffer", "too short")


def save(obj: Any, f: Any, pickle_module: Any = pickle, pickle_protocol: int = pickle.DEFAULT_PROTOCOL) -> None:
    """Save an object: tensors, modules, state dicts, and whatever else can be pickled, in any nesting.

    A path is written beside and renamed when complete, so that a crash leaves the file that was there. MegEngine 1.13 reads
    the file. A path that ends in ``.safetensors`` is written in that format, which holds one dictionary of names to arrays or
    tensors.

    Args:
        obj: what to save.
        f: a path, or a binary file object.
        pickle_module: module whose ``dump`` does the work instead.
        pickle_protocol: at least 2. Default: that of :mod:`pickle`

    Raises:
        AssertionError: ``f`` is neither.
        ValueError: protocol 0 or 1, which tensors do not survive; or what safetensors cannot hold.
        ImportError: the file is to be a ``.safetensors``, and the package is not installed.
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
        with exclusive if isinstance(f, io.BytesIO) else nullcontext():
            _dump(obj, f, pickle_module, pickle_protocol)
        return
    path = os.path.realpath(f)
    if path.endswith(".safetensors"):
        safetensors.save(obj, path)
        return
    with replacing(path) as file, exclusive:  # another thread's step comes before all of what is saved or after
        summed = SummedWriter(file)
        _dump(obj, summed, pickle_module, pickle_protocol)
        summed.finish()


def _dump(obj: Any, file: Any, pickle_module: Any, protocol: int) -> None:
    if pickle_module is pickle:
        pickler.dump(obj, file, protocol)
    else:
        pickle_module.dump(obj, file, protocol)


def load(f: Any, map_location: Any = None, pickle_module: Any = pickle, *, allow: Any = ()) -> Any:
    """Load what :func:`save` or MegEngine saved, a safetensors file, or a state dict of PyTorch; the content tells which.

    Only what is harmless is loaded: tensors, NumPy arrays and scalars, Python's containers, the modules and optimizers of
    this package, and subclasses of ``Module`` that the program has defined or imported. A file that names anything else could
    run any code; loading it takes ``allow``, or the environment variable ``MEGENGINE_LOAD_ALLOW``.

    safetensors and PyTorch files come as NumPy arrays, which is what ``load_state_dict`` takes.

    Args:
        f: a path, or a binary file object.
        map_location: where tensors go: a device name for all; a dict from device names to others; or a function from the saved
            device's name to another. Default: the devices they were saved from
        pickle_module: module whose ``load`` does the work instead; it cannot be watched, so this takes ``allow="all"``.
        allow: what the file may name besides: classes and functions, or their names such as ``"models.Net"``; a dict from names
            in the file to classes of the program, for what has moved; ``"all"`` for any file that you trust fully. Default:
            nothing

    Raises:
        CheckpointError: the file is truncated, damaged, or no checkpoint; an ``EOFError`` and ``UnpicklingError``.
        RefusedError: it names what is neither harmless nor allowed; an ``UnpicklingError``.
        AssertionError: a key or value of ``map_location`` is not a device name, or it is of another type.
        ImportError: the file needs a class that is not here.
        OSError: the file cannot be read, or is a folder.

    Example:
        >>> megengine.save(Tensor([1, 2]), "x.mge")
        >>> megengine.load("x.mge", map_location="cpu0")
        Tensor([1 2], dtype=int32, device=cpu0:0)
    """
    place = placement(map_location)
    allowed = Allowed(allow)
    if pickle_module is not pickle and not allowed.everything:
        name = getattr(pickle_module, "__name__", pickle_module)
        raise RefusedError(
            f"pickle_module={name} loads whatever a file names: if you trust the file, pass allow='all', too", []
        )
    if not isinstance(f, str | os.PathLike):
        if not hasattr(f, "read"):
            raise TypeError(f"load() takes a path or a binary file object, got {f!r}")
        return _load(f, place, pickle_module, allowed, str(getattr(f, "name", None) or repr(f)), None)
    name = os.fspath(f)
    if os.path.isdir(f):
        raise IsADirectoryError(f"cannot load {name}: it is {foreign.folder_appearance(name)}")
    with open(f, "rb") as file:
        return _load(file, place, pickle_module, allowed, name, verified_payloads(file, name))


def _load(
    file: Any,
    place: Callable[[str], Any] | None,
    pickle_module: Any,
    allowed: Allowed,
    name: str,
    sums: dict[tuple[int, int], int] | None,
) -> Any:
    head = b""
    try:
        seekable = hasattr(file, "readinto") and file.seekable()
        if sums is None and seekable:
            start = file.tell()
            head = file.read(foreign.HEAD)
            file.seek(start)
            if safetensors.begins(head):
                return safetensors.load(file, name)
            if (what := foreign.appearance(head, name, file)) is not None:
                raise CheckpointError(f"cannot load {name}: it is {what}")
            file.seek(start)
            if pytorch.begins(head):
                return pytorch.load(file, name)
        if pickle_module is not pickle:
            return mapping_unpickler(pickle_module, place)(file).load() if place else pickle_module.load(file)
        return _unpickle(file, place, allowed, name, sums, seekable)
    except Exception as error:
        explained = _guessed(error, head, file, name) or _explained(error, name, sums is not None)
        if explained is error:
            raise
        raise explained from (None if isinstance(explained, CheckpointError) else error)  # it quotes the error


def _guessed(error: Exception, head: bytes, file: Any, name: str) -> Exception | None:
    """What to raise for an error of a file that seems to be something else than a checkpoint, or a part of one."""
    text = str(error)
    if not head or not isinstance(error, (*_DAMAGE, RefusedError)) or MISSING in getattr(error, "__notes__", ()):
        return None
    if text.startswith("cannot load") and not isinstance(error, RefusedError):
        return None
    if isinstance(error, RefusedError) and (head[:1] == b"\x80" or all(map(_is_dotted, error.names))):
        return None  # a pickle
    if isinstance(error, CheckpointError) and head.startswith(b"PK") and "zip file" not in text:
        return None  # one that says what it is
    short = isinstance(error, EOFError) or any(part in text for part in _SHORT)
    what = foreign.guess(head, file.seek(0, os.SEEK_END), name, short)
    if what is None:
        return None
    detail = f" ({text})" if text and not isinstance(error, RefusedError) else ""
    return CheckpointError(f"cannot load {name}: it {what}{detail}")


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _explained(error: Exception, name: str, intact: bool) -> Exception:
    """What to raise for an error that loading a file raised."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, CheckpointError):
        return error if str(error).startswith("cannot load") else CheckpointError(f"cannot load {name}: {error}")
    if isinstance(error, RuntimeError) and "device" in str(error):
        error.add_note(f"while loading {name}: map_location= puts its tensors on other devices")
    elif intact or MISSING in getattr(error, "__notes__", ()):
        error.add_note(f"while loading {name}" + (", whose checksum is right" if intact else ""))
    elif isinstance(error, _DAMAGE):
        return CheckpointError(f"cannot load {name}: truncated, damaged or no checkpoint ({error})")
    return error


def _unpickle(
    file: Any,
    place: Callable[[str], Any] | None,
    allowed: Allowed,
    name: str,
    sums: dict[tuple[int, int], int] | None,
    seekable: bool,
) -> Any:
    start = file.tell() if seekable else 0
    unpickler = Unpickler(file, place, allowed, sums, defer=seekable)
    try:
        result = unpickler.load()
        if unpickler.leaked:
            del result
            file.seek(start)
            unpickler = Unpickler(file, place, allowed)
            result = unpickler.load()
    except Exception:
        if unpickler.refused:
            raise RefusedError(refusal(name, unpickler.refused), unpickler.refused) from None
        raise
    if unpickler.refused:
        raise RefusedError(refusal(name, unpickler.refused), unpickler.refused)
    return result
