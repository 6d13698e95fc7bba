"""Reads pickles, and makes and calls nothing but what is known to be harmless or was allowed.

Python's unpickler in Python, with the operations replaced that name, call, make, or change something. What pickles say of NumPy's
dtypes and arrays and of tensors does not reach NumPy, but is checked and built here, on memory that was read into once.
"""

from __future__ import annotations

import _compat_pickle
import copyreg
import pickle
import struct
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from ..graph.device import Device, resolve
from ..graph.dtypes import SUPPORTED
from ..graph.host_data import host_value
from ..tensor import Tensor
from ..tensor.qparams import QuantMode
from .arrays import Payload, array_from, dtype_from
from .names import Allowed, known, of_the_program
from .objects import incoming
from .reading import Reader

MISSING = "the file needs a class that this program does not have"
_DTYPES = SUPPORTED | {np.dtype("uint32")}  # the latter in the state of random streams
_SMALL = 1 << 10  # fewer bytes are not worth keeping from being copied
_PythonUnpickler: Any = pickle._Unpickler  # its parts have no types


class Function:
    """A function that pickles may call; nothing of it can be changed."""

    __slots__ = ("run",)

    run: Callable[..., Any]

    def __init__(self, run: Callable[..., Any]) -> None:
        object.__setattr__(self, "run", run)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("a checkpoint may not change functions")


class Refused:
    """Stands for what was refused, and for what it would have made, until all that is refused is known."""

    def append(self, item: Any) -> None:
        """Take an item, as a list does."""

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    extend = add = append


class Unbuilt:
    """A dtype, array or device of which the pickle has said only that it comes; its state follows."""

    __slots__ = ("finish", "keys")

    def __init__(self, finish: Callable[[Any], Any]) -> None:
        self.finish = finish
        self.keys: list[int] = []


def _reconstruct(kind: Any, shape: Any, typecode: Any) -> Unbuilt:
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of the class {kind!r}")
    return Unbuilt(_built_array)


def _built_array(state: Any) -> np.ndarray:
    shape, dtype, fortran, data = state[-4:]  # a version comes before them
    return array_from(shape, _built(dtype), fortran, data)


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    array = array_from(shape, _built(dtype), order == "F", data)
    return array if axes is None else array.transpose(axes)


def _scalar(dtype: Any, data: Any = None) -> Any:
    return array_from((), _built(dtype), False, data)[()]


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes written as {encoding!r}")
    return text.encode("latin1")


def _built(item: Any) -> Any:
    return item.finish(None) if type(item) is Unbuilt else item


_DTYPE = Function(lambda *args: Unbuilt(lambda state: dtype_from(args, state)))
_FUNCTIONS = {
    **{
        (f"numpy.{core}.{module}", name): Function(run)
        for core in ("core", "_core")
        for module, name, run in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _frombuffer),
        )
    },
    ("_codecs", "encode"): Function(_encode),
    ("megengine.quantization.utils", "QuantMode"): Function(QuantMode),
}


class Unpickler(_PythonUnpickler):
    """One object from a file.

    Args:
        file: a binary file object.
        place: from the name of a tensor's saved device to the one it goes to; None keeps them.
        allowed: what the user trusts.
        sums: those of payloads by offset and length, None without.
        defer: read the bytes of arrays into the arrays' memory. They are told from other bytes in the end only: see ``leaked``.
    """

    dispatch: dict[int, Callable[[Any], None]] = dict(_PythonUnpickler.dispatch)

    def __init__(
        self,
        file: Any,
        place: Callable[[str], Any] | None,
        allowed: Allowed,
        sums: dict[tuple[int, int], int] | None = None,
        defer: bool = False,
    ) -> None:
        super().__init__(file)
        self._place = place or (lambda device: device)
        self._allowed = allowed
        self._reader = Reader(file, sums or {}) if defer else None
        self._payloads: list[weakref.ref[Payload]] = []
        self._named: dict[int, Any] = {}  # what find_class gave, by id
        self._only_made: set[int] = set()  # those of them that may be made without being called
        self._shared: set[int] = set()
        self._adopted: dict[int, np.ndarray] = {}
        self._makers = {
            "_reconstructor": Function(self._reconstructed),
            "__newobj__": Function(lambda cls, *args: self._make(cls, args)),
        }
        self.refused: list[str] = []

    def load(self) -> Any:
        try:
            return _built(super().load())
        finally:
            self.memo.clear()
            self.stack = list[Any]()
            self.metastack = list[Any]()
            self._adopted.clear()
            self._makers.clear()  # which refer to this object
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    @property
    def leaked(self) -> bool:
        """Whether bytes that were taken for an array's are part of the result, which has to be loaded again without ``defer``."""
        return any(payload() is not None for payload in self._payloads)

    # Names

    def find_class(self, module: str, name: str) -> Any:
        if self.proto < 3:
            module, name = _renamed(module, name)
        found: Any = _FUNCTIONS.get((module, name))
        if found is not None:
            return found
        if module == "copyreg" and name in self._makers:
            return self._makers[name]
        try:
            found = self._allowed.find(module, name, super().find_class)
            if found is None:
                found = known(module, name)
            if found is None and self._allowed.everything:
                found = super().find_class(module, name)
            elif found is None and (found := of_the_program(module, name)) is not None:
                self._only_made.add(id(found))
        except (ImportError, AttributeError) as error:
            error.add_note(MISSING)
            raise
        if found is None:
            return Function(self._type_of) if (module, name) == ("builtins", "type") else self._refuse(module, name)
        if found is np.dtype:
            return _DTYPE
        self._named[id(found)] = found
        if isinstance(found, FunctionType) and f"{module}.{name}" not in self._allowed.objects:
            self._only_made.add(id(found))
        return found

    def _refuse(self, module: str, name: str) -> Refused:
        if f"{module}.{name}" not in self.refused:
            self.refused.append(f"{module}.{name}")
        return Refused()

    def _type_of(self, *args: Any) -> Any:
        """``type(None)`` and ``type(...)``, which have no other name in files."""
        plain = len(args) == 1 and (args[0] is None or args[0] is Ellipsis)
        return type(args[0]) if plain else self._refuse("builtins", "type")

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"the file refers to number {code} of a registry of extensions")

    # Calls

    def _call(self, function: Any, args: Any, options: dict[str, Any] | None = None) -> Any:
        """The result of calling a function or class, if that is trusted."""
        if type(function) is Refused:
            return Refused()
        if not isinstance(args, tuple):
            raise pickle.UnpicklingError(f"arguments {args!r}")
        if type(function) is Function:
            return function.run(*args)
        trusted = id(function) in self._named and id(function) not in self._only_made and function is not np.ndarray
        if not trusted and not self._allowed.everything:
            raise pickle.UnpicklingError(f"the file calls {function!r}")
        if isinstance(function, type) and issubclass(function, Tensor):
            return self._tensor(function, args)
        return function(*args, **(options or {}))

    def _make(self, cls: Any, args: Any, options: dict[str, Any] | None = None) -> Any:
        """``cls.__new__``, without ``__init__``."""
        if cls is Device:
            return Unbuilt(lambda name: resolve(self._place(name)))
        plain = isinstance(cls, type) and not issubclass(cls, Tensor | np.ndarray)
        if not plain or id(cls) not in self._named:
            return self._call(cls, args, options)
        return cls.__new__(cls, *args, **(options or {}))

    def _reconstructed(self, cls: Any, base: Any, state: Any) -> Any:
        """What protocols 0 and 1 make objects with."""
        if type(cls) is Refused:
            return cls
        if id(cls) not in self._named or id(base) not in self._named or issubclass(cls, np.ndarray):
            raise pickle.UnpicklingError(f"an object of {cls!r}")
        return copyreg._reconstructor(cls, base, state)  # type: ignore[attr-defined]

    def _tensor(self, kind: type[Tensor], args: tuple[Any, ...]) -> Any:
        """A tensor on the device wanted, with the array that was read for it."""
        if not args:  # before MegEngine 1.2 everything came as state
            return kind.__new__(kind)
        data, dtype, device, *rest = (*args, None, None)[: max(3, len(args))]
        data, dtype = _built(data), _built(dtype)
        if isinstance(device, str):
            device = self._place(device)
        ours = type(data) is np.ndarray and id(data) not in self._shared and id(data) not in self._adopted
        if ours and not rest and kind.__new__ is Tensor.__new__ and _fits(data, dtype):
            tensor = object.__new__(kind)
            tensor._node, tensor._slot = None, 0
            tensor._value = host_value(data, resolve(device))
            self._adopted[id(data)] = data
            return tensor
        return kind(data, dtype, device, *rest)

    # Operations of pickles

    def load_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], args)

    def load_newobj(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], args)

    def load_newobj_ex(self) -> None:
        options, args = self.stack.pop(), self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], args, options)

    def _instantiate(self, cls: Any, args: list[Any]) -> None:
        bare = not args and isinstance(cls, type) and not hasattr(cls, "__getinitargs__")
        self.append(self._make(cls, ()) if bare else self._call(cls, tuple(args)))

    def load_build(self) -> None:
        state = self.stack.pop()
        item = self.stack[-1]
        kind = type(item)
        if kind is Unbuilt:
            done = self.stack[-1] = item.finish(state)
            for key in item.keys:
                self.memo[key] = done
        elif kind is Refused:
            return
        elif issubclass(kind, Tensor):
            if isinstance(state, dict) and isinstance(state.get("device"), str):
                state = {**state, "dtype": _built(state.get("dtype")), "device": self._place(state["device"])}
            item.__setstate__(state)
        elif self._allowed.everything or (
            id(kind) in self._named and kind.__module__ != "numpy" and not isinstance(item, type)
        ):
            self.stack.append(incoming(item, state))
            super().load_build()
        else:
            raise pickle.UnpicklingError(f"the file changes {item!r}")

    def load_memoize(self) -> None:
        self._remember(len(self.memo))

    def load_binput(self) -> None:
        self._remember(self.read(1)[0])

    def load_long_binput(self) -> None:
        self._remember(struct.unpack("<I", self.read(4))[0])

    def load_put(self) -> None:
        self._remember(int(self.readline()[:-1]))

    def _remember(self, key: int) -> None:
        item = self.memo[key] = self.stack[-1]
        if type(item) is Unbuilt:
            item.keys.append(key)

    def load_binget(self) -> None:
        self._recall(self.read(1)[0])

    def load_long_binget(self) -> None:
        self._recall(struct.unpack("<I", self.read(4))[0])

    def load_get(self) -> None:
        self._recall(int(self.readline()[:-1]))

    def _recall(self, key: int) -> None:
        item = self.memo[key]
        if type(item) is np.ndarray:
            if id(item) in self._adopted:  # a tensor keeps its elements to itself
                item = self.memo[key] = item.copy()
            self._shared.add(id(item))
        self.append(item)

    def load_dup(self) -> None:
        if type(self.stack[-1]) is np.ndarray:
            self._shared.add(id(self.stack[-1]))
        self.append(self.stack[-1])

    # Bytes

    def load_binbytes(self) -> None:
        self.append(self._bytes(struct.unpack("<I", self.read(4))[0]))

    def load_binbytes8(self) -> None:
        self.append(self._bytes(struct.unpack("<Q", self.read(8))[0]))

    def load_bytearray8(self) -> None:
        item = self._bytes(struct.unpack("<Q", self.read(8))[0])
        self.append(bytearray(item) if type(item) is bytes else item)

    def _bytes(self, size: int) -> bytes | Payload:
        if size < _SMALL or self._reader is None:
            return self.read(size)  # type: ignore[no-any-return]
        if self._unframer.current_frame is not None:
            data = self.read(size)
            buffer = self._reader.memory.take(size)
            buffer[:] = np.frombuffer(data, np.uint8)
        else:
            buffer = self._reader.read(size)
        payload = Payload(buffer)
        self._payloads.append(weakref.ref(payload))
        return payload

    for _opcode, _load in {
        "REDUCE": load_reduce, "NEWOBJ": load_newobj, "NEWOBJ_EX": load_newobj_ex, "BUILD": load_build,
        "MEMOIZE": load_memoize, "BINPUT": load_binput, "LONG_BINPUT": load_long_binput, "PUT": load_put,
        "BINGET": load_binget, "LONG_BINGET": load_long_binget, "GET": load_get, "DUP": load_dup,
        "BINBYTES": load_binbytes, "BINBYTES8": load_binbytes8, "BYTEARRAY8": load_bytearray8,
    }.items():  # fmt: skip
        dispatch[getattr(pickle, _opcode)[0]] = _load


def _fits(array: np.ndarray, dtype: Any) -> bool:
    """Whether an array can be a tensor's of this dtype as it is."""
    have = array.dtype
    wanted = have if dtype is None else np.dtype(dtype)
    same = have == wanted and have.metadata == wanted.metadata
    return same and have in _DTYPES and have.isnative and array.flags.c_contiguous


def _renamed(module: str, name: str) -> tuple[str, str]:
    """The name in Python 3 of what protocols 0 to 2 call as Python 2 did."""
    pair = _compat_pickle.NAME_MAPPING.get((module, name))
    return pair or (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
