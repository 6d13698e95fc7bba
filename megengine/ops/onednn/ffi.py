"""XLA's foreign functions in Python: what an executable calls, by name, with a text and the addresses of arrays.

This file is also loaded by itself, by the process that compiles in the background, which needs the names alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import Any

import jax

Run = Callable[[bytes, list[int]], None]
_METADATA, _INTERNAL, _RESOURCE_EXHAUSTED = 1, 13, 8


class _Extension(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("type", c_int), ("next", c_void_p)]


class _Version(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("extension", c_void_p), ("major", c_int), ("minor", c_int)]


class _Metadata(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("version", _Version), ("traits", c_uint32)]


class _MetadataExtension(ctypes.Structure):
    _fields_ = [("base", _Extension), ("metadata", c_void_p)]


class _Buffers(ctypes.Structure):
    """``XLA_FFI_Args`` and ``XLA_FFI_Rets``."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("extension", c_void_p),
        ("size", c_int64),
        ("types", c_void_p),
        ("buffers", c_void_p),
    ]


class _Attributes(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("extension", c_void_p),
        ("size", c_int64),
        ("types", c_void_p),
        ("names", c_void_p),
        ("values", c_void_p),
    ]


class _Frame(ctypes.Structure):
    """``XLA_FFI_CallFrame``."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("extension", c_void_p),
        ("api", c_void_p),
        ("context", c_void_p),
        ("stage", c_int),
        ("args", _Buffers),
        ("rets", _Buffers),
        ("attributes", _Attributes),
        ("future", c_void_p),
    ]


class _Buffer(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("extension", c_void_p),
        ("dtype", c_int),
        ("data", c_void_p),
        ("rank", c_int64),
        ("dims", c_void_p),
    ]


class _Text(ctypes.Structure):
    _fields_ = [("start", c_void_p), ("length", c_size_t)]


class _Api(ctypes.Structure):
    """The beginning of ``XLA_FFI_Api``."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("extension", c_void_p),
        ("version", _Version),
        ("internal", c_void_p),
        ("error_create", c_void_p),
    ]


class _Error(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("extension", c_void_p), ("message", c_char_p), ("code", c_int)]


_ErrorCreate = ctypes.CFUNCTYPE(c_void_p, ctypes.POINTER(_Error))
_Handler = ctypes.CFUNCTYPE(c_void_p, c_void_p)
_DATA = _Buffer.data.offset
registered: dict[str, Any] = {}
_handlers: dict[str, Any] = {}


def register(name: str, run: Run) -> None:
    """Have executables find a function by this name.

    Args:
        name: the target of the call, whose one attribute is a text.
        run: called with this text and the addresses of operands and results. What it raises becomes an error of the executable.

    Raises:
        OSError, LookupError: this version of JAX does not say how its functions are called.
    """
    if name in registered:
        return
    handler = _handlers.setdefault(name, _Handler(_handler(run, *_api_version())))  # XLA takes one twice, but not two
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, (c_void_p, c_char_p, c_void_p)
    address = ctypes.cast(handler, c_void_p).value
    jax.ffi.register_ffi_target(name, new(address, b"xla._CUSTOM_CALL_TARGET", None), platform="cpu")
    registered[name] = handler


def named_only(name: str) -> None:
    """Have a process that only compiles know a name; where that cannot be, no program has it."""

    def refuse(text: bytes, pointers: list[int]) -> None:
        raise RuntimeError("this process only compiles")

    with contextlib.suppress(OSError, LookupError):
        register(name, refuse)


def _api_version() -> tuple[int, int]:
    """The version of the interface, as JAX's own header has it."""
    header = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text(encoding="utf-8")
    found = [re.search(rf"define XLA_FFI_API_{part} (\d+)", header) for part in ("MAJOR", "MINOR")]
    if None in found:
        raise LookupError("the header of XLA's foreign functions names no version")
    major, minor = (int(match[1]) for match in found if match is not None)
    return major, minor


def _handler(run: Run, major: int, minor: int) -> Callable[[int], int | None]:
    def handler(address: int) -> int | None:
        frame = _Frame.from_address(address)
        try:
            extension = frame.extension
            if extension and _Extension.from_address(extension).type == _METADATA:
                about = _Metadata.from_address(_MetadataExtension.from_address(extension).metadata)
                about.version.major, about.version.minor = major, minor
                return None
            text = _Text.from_address(c_void_p.from_address(frame.attributes.values).value or 0)
            buffers = _buffers(frame.args) + _buffers(frame.rets)
            run(ctypes.string_at(text.start, text.length), buffers)
        except BaseException as error:
            return _error(frame.api, error)
        return None

    return handler


def _buffers(of: Any) -> list[int]:
    pointers = (c_void_p * of.size).from_address(of.buffers) if of.size else ()
    return [c_void_p.from_address(pointer + _DATA).value or 0 for pointer in pointers]


def _error(api: int, error: BaseException) -> int | None:
    """The error of XLA that says what was raised."""
    code = _RESOURCE_EXHAUSTED if isinstance(error, MemoryError) else _INTERNAL
    message = f"{type(error).__name__}: {error}".encode()
    create = _ErrorCreate(_Api.from_address(api).error_create)
    made: int | None = create(ctypes.byref(_Error(ctypes.sizeof(_Error), None, message, code)))
    return made
