"""The Python state that a function can see: what it was, and whether it still is.

A call that skips the function's body is right while nothing that the body looks at has changed. Watched are the variables that
it and the functions it calls use (closures, globals, defaults), its arguments, and from there on attributes, items of containers,
the contents of arrays and the states of random generators.
"""

from __future__ import annotations

import enum
import gc
import random
import sys
from abc import get_cache_token
from array import array
from collections import deque
from collections.abc import Iterable
from contextvars import ContextVar
from functools import partial
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np

from ..autodiff import GradManager
from ..module import Module
from ..optimizer import Optimizer
from ..tensor import Tensor
from .behind import CACHED, behind, kept_by, told_by
from .entries import (
    MISSING,
    PLAIN,
    Absent,
    Array,
    Attributes,
    Cell,
    Entry,
    Generator,
    Glance,
    Items,
    Labels,
    Looked,
    MappingItems,
    Names,
    drawn,
    holds_tensor,
)
from .executed import Executed, global_names, imported_names, is_of_library, is_watched_file

SLOT_LIMIT = 50_000
BYTES_LIMIT = 1 << 24
# fmt: off
_OPAQUE = frozenset([
    "logging", "threading", "_thread", "io", "_io", "socket", "queue", "_queue", "multiprocessing", "concurrent", "asyncio",
    "subprocess", "jax", "jaxlib", "numpy", "ml_dtypes", "weakref", "_weakref", "re", "abc", "_abc", "typing", "importlib",
    "pytest", "_pytest", "unittest", "contextlib", "_contextvars", "inspect",
])
# fmt: on
_TRACE = __name__.rpartition(".")[0] + ".tracing"
ARGUMENT = "an argument"


class Watched:
    """What a function can see, as it is now.

    Args:
        roots: the function and its arguments.
        executed: what it ran when it was called before.

    Attributes:
        refused: why not all of it can be watched, or None.
        reached: the objects found, by id.
    """

    def __init__(self, roots: list[Any], executed: Executed) -> None:
        self.executed = executed
        self.entries: list[Entry] = []
        self.reached: dict[int, Any] = {}
        self.refused: str | None = None
        self._labels: dict[int, Labels] = {}
        self._iterators: list[tuple[str, Labels]] = []
        self._bytes = 0
        self._slots = 0
        self._waiting: list[tuple[Any, str, Labels | None]] = [(root, ARGUMENT, None) for root in roots]
        missing: dict[int, tuple[Any, set[str]]] = {}
        for code, namespace in executed.codes.items():
            names = global_names(code)
            self._names(namespace, [n for n in names if n in namespace])
            missing.setdefault(id(namespace), (namespace, {*executed.strings}))[1].update(names)
            self._push(imported_names(code), [sys.modules.get(n) for n in imported_names(code)])
        for namespace, wanted in missing.values():
            self._absent(namespace, wanted)
        if "isinstance" in executed.own_names or "issubclass" in executed.own_names:
            self._add(Looked(get_cache_token, "isinstance", Labels("isinstance")))  # of ``ABC.register``
        self._reach_all()
        functions = _functions_of(self._not_found())
        self._push([f.__name__ for f in functions], functions)
        self._reach_all()
        for name, labels in self._iterators:
            if labels.are_read(executed):
                self.refused = f"it uses the iterator `{name}`" if name != ARGUMENT else "an argument is an iterator"
        self._labels.clear()
        self._draws = drawn()
        self._glance: Glance | None = None

    def unchanged(self) -> bool:
        """Whether everything is as it was; asked before every call that skips the body."""
        glance = self._glance
        if glance is None:
            glance = self._glance = Glance(self.entries)
        if glance.shows_no_change():
            return True
        if not all(entry.same() for entry in self.entries):
            return False
        for entry in self.entries:
            entry.settle()
        self._glance = None
        return True

    def change_by_call(self) -> str | None:
        """Why the call that has been made since must be made each time: it changed what it reads, or left a tensor somewhere.

        What it only writes, such as a count of its calls, is not watched any longer.
        """
        if drawn() != self._draws:
            return "it draws random numbers from NumPy or Python"
        for entry in self.entries:
            for name, now in entry.changes():
                if entry.is_read(name, self.executed):
                    return f"it changes `{name}`, which it reads"
                if entry.rebinds and holds_tensor(now):
                    return f"it leaves a tensor in `{name}`"
        self.entries = [entry for entry in self.entries if entry.without_changes()]
        return None

    def _push(self, names: Iterable[str], things: Iterable[Any], holder: Labels | None = None) -> None:
        """Have objects looked at, by their names, or as items of another one."""
        self._waiting += [(thing, name, holder) for thing, name in zip(things, names, strict=True)]

    def _reach_all(self) -> None:
        while self._waiting and self.refused is None:
            self._reach(*self._waiting.pop())

    def _not_found(self) -> list[CodeType]:
        """Code with variables of an enclosing function, of which no function has been reached."""
        found = {f.__code__ for f in self.reached.values() if isinstance(f, FunctionType)}
        return [c for c in self.executed.codes if c.co_freevars and c not in found and "<" not in c.co_name[1:]]

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._slots += len(entry.values)
        if self._slots > SLOT_LIMIT:
            self.refused = f"it can see more than {SLOT_LIMIT:,} Python objects"
        for name, value in entry.items():
            if type(value) not in _LEAVES:
                self._waiting.append((value, name, entry.labels))

    def _names(self, namespace: Any, keys: list[Any], owner: Any = None, own: bool = False, **settings: Any) -> None:
        if keys or owner is not None:  # an object without attributes may get some
            self._add(Names(namespace, keys, owner, own, **settings))

    def _absent(self, namespace: Any, names: Iterable[str]) -> None:
        self.entries.append(Absent(namespace, names))

    def _reach(self, thing: Any, name: str, holder: Labels | None) -> None:
        if isinstance(thing, PLAIN):
            return
        labels = self._labels.setdefault(id(thing), Labels())
        labels.add(name, holder)
        if id(thing) in self.reached:
            return
        self.reached[id(thing)] = thing
        known = self.executed.names
        if isinstance(thing, Tensor):
            hidden = {k for k in vars(thing) if k[0] == "_" and k not in self.executed.own_names}
            hidden |= Tensor.__annotations__.keys()
            self._names(vars(thing), [k for k in vars(thing) if k not in hidden], thing, ignored=hidden)
            self._push([name], [type(thing)])
        elif isinstance(thing, enum.Enum):
            self._names(vars(thing), [k for k in vars(thing) if k in known or k == "_value_"], thing, closed=True)
        elif isinstance(thing, (BuiltinFunctionType, MethodWrapperType)):
            self._waiting.append((thing.__self__, name, labels))
        elif isinstance(thing, FunctionType):
            self._reach_function(thing)
        elif isinstance(thing, MethodType):
            self._push([name] * 2, [thing.__self__, thing.__func__], labels)
        elif isinstance(thing, (classmethod, staticmethod)):
            self._push([name], [thing.__func__], labels)
        elif isinstance(thing, property):
            self._push([name] * 2, [thing.fget, thing.fset], labels)
        elif type(thing).__module__ == _TRACE:
            self._push([name], [thing.__wrapped__], labels)
        elif isinstance(thing, partial):
            self._push([name] * 3, [thing.func, thing.args, thing.keywords], labels)
        elif isinstance(thing, ModuleType):
            self._reach_module(thing)
        elif isinstance(thing, type):
            self._reach_class(thing)
        elif isinstance(thing, np.ndarray):
            self._reach_array(thing, name, labels)
        elif isinstance(thing, (bytearray, array, memoryview)):
            self._reach_array(np.asarray(thing), name, labels)
        elif isinstance(thing, (np.random.RandomState, np.random.Generator, random.Random)):
            self._add(Generator(thing, name))
        elif isinstance(thing, (dict, MappingProxyType)):
            self._add(MappingItems(thing, name, labels))
            self._reach_object(thing)
        elif isinstance(thing, (list, tuple, deque, set, frozenset)):
            self._add(Items(thing, name, labels))
            self._reach_object(thing)
        elif isinstance(thing, ContextVar):
            self._add(Looked(partial(thing.get, MISSING), name, labels))
        elif (look := told_by(thing)) is not None:
            self._add(Looked(look, name, labels))
        elif (held := behind(thing)) is not None:
            self._push([name] * len(held), held, labels)
            if isinstance(thing, CACHED):
                self._add(Looked(partial(kept_by, thing), name, labels))
        elif hasattr(type(thing), "__next__") and type(thing).__module__ not in _OPAQUE:
            self._iterators.append((name, labels))
        else:
            self._reach_object(thing)

    def _reach_function(self, function: FunctionType) -> None:
        for name in ("__wrapped__", "registry"):  # the latter of ``functools.singledispatch``
            if hasattr(function, name):
                self._push([function.__name__], [getattr(function, name)])
        if function.__code__ not in self.executed.codes:
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._add(Cell(cell, name))
        self._add(Attributes(function, ["__code__", "__defaults__", "__kwdefaults__"]))
        self._names(vars(function), list(vars(function)), function)

    def _reach_module(self, module: ModuleType) -> None:
        if is_watched_file(getattr(module, "__file__", None) or "<frozen >"):
            self._names(vars(module), [k for k in vars(module) if k in self.executed.names])
            self._absent(vars(module), self.executed.own_names | self.executed.strings)
        else:
            self._names(vars(module), [k for k in vars(module) if k in self.executed.own_names])
            self._absent(vars(module), self.executed.strings)

    def _reach_class(self, cls: type) -> None:
        known, whole = self.executed.names, self.executed.whole
        for base in cls.__mro__:
            if _is_of_program(base):
                self._names(vars(base), [k for k, v in vars(base).items() if _matters(k, v, whole or k in known)])
                self._absent(vars(base), self.executed.own_names | self.executed.strings)
                self._add(Attributes(base, ["__bases__"]))
                self._push([base.__name__], [type(base)])

    def _reach_array(self, array: np.ndarray, name: str, labels: Labels) -> None:
        self._bytes += array.nbytes
        if self._bytes > BYTES_LIMIT:
            self.refused = f"it can see arrays of more than {BYTES_LIMIT >> 20} MB, among them `{name}`"
        elif array.dtype == object:
            self._push([name], [array.tolist()], labels)
        else:
            self._add(Array(array, name, labels))

    def _reach_object(self, thing: Any) -> None:
        cls = type(thing)
        if cls.__module__.partition(".")[0] in _OPAQUE:
            return
        own = _is_of_package(cls)
        attributes = getattr(thing, "__dict__", None)
        if isinstance(thing, (Optimizer, GradManager)):
            # Their other private attributes are notes of what they did last.
            mine = ("_state", "_attach_specs", "_after_backward_callback")
            keys = [k for k in vars(thing) if k[0] != "_" or k in mine or k in self.executed.own_names]
            self._add(Names(attributes, keys, thing, own, closed=True))
        elif type(attributes) is dict:
            opaque = is_of_library(cls) or cls is SimpleNamespace  # what its methods read has not been looked at
            opaque = opaque or getattr(cls.__setattr__, "__code__", None) in self.executed.codes
            known = self.executed.names
            whole = own or opaque or isinstance(thing, Module) or self.executed.whole
            keys = [k for k in attributes if whole or k in known]
            self._names(attributes, keys, thing, own, wanted=None if whole else known, opaque=opaque)
        slots = [n for base in cls.__mro__ for n in _slots_of(base) if n not in ("__dict__", "__weakref__")]
        if slots and not _is_builtin(cls):
            self._add(Attributes(thing, slots, own))
        if not own:
            self._push([cls.__name__], [cls])
        if _is_of_program(cls):
            self._add(Attributes(thing, ["__class__"]))


def _matters(name: str, value: Any, known: bool) -> bool:
    """Whether an attribute of a class is watched: of those that Python itself looks up, the functions."""
    return isinstance(value, FunctionType) if name[:2] == "__" else known


def _functions_of(codes: list[CodeType]) -> list[FunctionType]:
    """All functions with such code; only the garbage collector knows them."""
    wanted = set(codes)
    referrers = gc.get_referrers(*codes) if codes else []
    return [f for f in referrers if isinstance(f, FunctionType) and f.__code__ in wanted]


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _is_builtin(cls: type) -> bool:
    return cls.__module__ == "builtins" or cls.__module__ == "collections"


def _is_of_package(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _is_of_program(cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    return not _is_builtin(cls) and (is_watched_file(file) if file else cls.__module__ == "__main__")


_LEAVES = frozenset((int, float, complex, str, bytes, bool, type(None)))
