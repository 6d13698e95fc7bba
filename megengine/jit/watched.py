"""The Python state that a function can see: what it was, and whether it still is.

A call that skips the function's body is right while nothing that the body looks at has changed. Watched are the variables that
it and the functions it calls use (closures, globals, defaults), its arguments, and from there on attributes, items of containers,
the contents of arrays and the states of random generators.
"""

from __future__ import annotations

import enum
import random
import sys
from collections import deque
from collections.abc import Iterator
from functools import partial
from operator import is_
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..autodiff import GradManager
from ..module import Module
from ..optimizer import Optimizer
from ..tensor import Tensor
from .executed import Executed, global_names, is_watched_file

SLOT_LIMIT = 50_000
BYTES_LIMIT = 1 << 24
_PLAIN = (int, float, complex, str, bytes, bool, type(None), np.generic, np.dtype, type(Ellipsis), range, slice)
# fmt: off
_OPAQUE = frozenset([
    "logging", "threading", "_thread", "io", "_io", "socket", "queue", "_queue", "multiprocessing", "concurrent", "asyncio",
    "subprocess", "jax", "jaxlib", "numpy", "ml_dtypes", "weakref", "_weakref", "re", "abc", "_abc", "typing", "importlib",
    "pytest", "_pytest", "unittest", "contextlib", "_contextvars", "inspect",
])
# fmt: on
_MISSING = object()
Change = tuple[str, Any]  # the name of a place, and what is there now


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
        self.entries: list[_Entry] = []
        self.reached: dict[int, Any] = {}
        self.refused: str | None = None
        self._bytes = 0
        self._slots = 0
        self._waiting: list[tuple[Any, str]] = [(root, "its arguments") for root in roots]
        for code, namespace in executed.codes.items():
            self._names(namespace, [n for n in global_names(code) if n in namespace])
        while self._waiting and self.refused is None:
            self._reach(*self._waiting.pop())
        self._draws = _drawn()

    def unchanged(self) -> bool:
        """Whether everything is as it was."""
        for entry in self.entries:
            if not entry.same():
                return False
        return True

    def change_by_call(self) -> str | None:
        """Why the call that has been made since must be made each time: it changed what it reads, or left a tensor somewhere.

        What it only writes, such as a count of its calls, is not watched any longer.
        """
        if _drawn() != self._draws:
            return "it draws random numbers from NumPy or Python"
        for entry in self.entries:
            for name, now in entry.changes():
                if entry.is_read(name, self.executed):
                    return f"it changes `{name}`, which it reads"
                if entry.rebinds and _holds_tensor(now):
                    return f"it leaves a tensor in `{name}`"
        self.entries = [entry for entry in self.entries if entry.without_changes()]
        return None

    def _add(self, entry: _Entry) -> None:
        self.entries.append(entry)
        self._slots += len(entry.values)
        if self._slots > SLOT_LIMIT:
            self.refused = f"it can see more than {SLOT_LIMIT:,} Python objects"
        for name, value in entry.items():
            if type(value) not in _LEAVES:
                self._waiting.append((value, name))

    def _names(self, namespace: Any, keys: list[Any], owner: Any = None, own: bool = False) -> None:
        if keys:
            self._add(_Names(namespace, keys, owner, own))

    def _reach(self, thing: Any, name: str) -> None:
        if (
            isinstance(thing, _PLAIN)
            or id(thing) in self.reached
            or isinstance(thing, (enum.Enum, BuiltinFunctionType))
        ):
            return
        self.reached[id(thing)] = thing
        if isinstance(thing, Tensor):
            self._names(vars(thing), [k for k in vars(thing) if not k.startswith("_")], thing)
        elif isinstance(thing, FunctionType):
            self._reach_function(thing)
        elif isinstance(thing, MethodType):
            self._waiting += (thing.__self__, name), (thing.__func__, name)
        elif isinstance(thing, partial):
            self._waiting += (thing.func, name), (thing.args, name), (thing.keywords, name)
        elif isinstance(thing, ModuleType):
            if is_watched_file(getattr(thing, "__file__", None) or "<frozen >"):
                self._names(vars(thing), [k for k in vars(thing) if k in self.executed.names])
        elif isinstance(thing, type):
            self._reach_class(thing)
        elif isinstance(thing, np.ndarray):
            self._reach_array(thing, name)
        elif isinstance(thing, (np.random.RandomState, np.random.Generator, random.Random)):
            self._add(_Generator(thing, name))
        elif isinstance(thing, (list, tuple, deque, set, frozenset, dict)):
            self._add(_Mapping(thing, name) if isinstance(thing, dict) else _Items(thing, name))
            self._reach_object(thing)
        elif hasattr(type(thing), "__next__") and type(thing).__module__ not in _OPAQUE:
            if self.executed.is_read(name):
                self.refused = f"it uses the iterator `{name}`"
        else:
            self._reach_object(thing)

    def _reach_function(self, function: FunctionType) -> None:
        if function.__code__ not in self.executed.codes:
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._add(_Cell(cell, name))
        self._add(_Attributes(function, ["__code__", "__defaults__", "__kwdefaults__"]))
        self._names(vars(function), list(vars(function)), function)

    def _reach_class(self, cls: type) -> None:
        for base in cls.__mro__:
            if _is_of_program(base):
                known = self.executed.names
                self._names(
                    vars(base), [k for k in vars(base) if k[:2] != "__" and (k in known or self.executed.everything)]
                )

    def _reach_array(self, array: np.ndarray, name: str) -> None:
        self._bytes += array.nbytes
        if self._bytes > BYTES_LIMIT:
            self.refused = f"it can see arrays of more than {BYTES_LIMIT >> 20} MB, among them `{name}`"
        elif array.dtype == object:
            self._waiting.append((array.tolist(), name))
        else:
            self._add(_Array(array, name))

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
            self._add(_Names(attributes, keys, thing, own, closed=True))
        elif type(attributes) is dict:
            known, whole = self.executed.names, own or isinstance(thing, Module) or self.executed.everything
            self._names(attributes, [k for k in attributes if whole or k in known], thing, own)
        slots = [n for base in cls.__mro__ for n in _slots_of(base) if n not in ("__dict__", "__weakref__")]
        if slots and not _is_builtin(cls):
            self._add(_Attributes(thing, slots, own))
        if not own:
            self._waiting.append((cls, cls.__name__))


class _Entry:
    """One object with named or numbered places.

    Attributes:
        values: what was in them.
        label: the name that its items go by.
        own: the object is of a class of this package.
        rebinds: a change of it puts something in a place that had something before.
    """

    label = ""
    own = False
    rebinds = True
    values: list[Any]

    def items(self) -> Iterator[tuple[str, Any]]:
        return ((self.label, value) for value in self.values)

    def same(self) -> bool:
        """Whether nothing has changed; quick when every place holds the very same object."""
        raise NotImplementedError

    def changes(self) -> list[Change]:
        """The places that have changed."""
        return [] if self.same() else [(self.label, None)]

    def without_changes(self) -> bool:
        """Stop watching the places that have changed; returns whether there are others."""
        return self.same()

    def is_read(self, name: str, executed: Executed) -> bool:
        return executed.is_read(name) or (self.own and name in executed.package_names)


class _Names(_Entry):
    """Some names of a namespace; if it is an object's, also which names that it does not have yet may be looked up."""

    def __init__(self, namespace: Any, keys: list[Any], owner: Any, own: bool, closed: bool = False) -> None:
        self.namespace = namespace
        self.owner = owner
        self.keys = keys
        self.own = own
        self.values = [namespace[k] for k in keys]
        self.count = None if owner is None or closed else len(namespace)

    def items(self) -> Iterator[tuple[str, Any]]:
        return zip(self.keys, self.values, strict=True)

    def _now(self) -> Any:
        return self.namespace if self.owner is None else self.owner.__dict__

    def same(self) -> bool:
        now = self._now()
        if self.count is not None and len(now) != self.count:
            return False
        return all(map(is_, map(now.get, self.keys), self.values)) or not self.changes()

    def changes(self) -> list[Change]:
        now = self._now()
        found = [
            (k, value)
            for k, before in zip(self.keys, self.values, strict=True)
            if not _same(before, value := now.get(k, _MISSING))
        ]
        if self.count is not None and len(now) != self.count:
            found += [(k, now[k]) for k in list(now)[self.count :]]
        return found

    def without_changes(self) -> bool:
        changed = {k for k, _ in self.changes()}
        kept = [(k, v) for k, v in zip(self.keys, self.values, strict=True) if k not in changed]
        self.keys, self.values = [k for k, _ in kept], [v for _, v in kept]
        if self.count is not None:
            self.count = len(self._now())
        return bool(kept)


class _Attributes(_Entry):
    """Attributes that are in no namespace."""

    def __init__(self, owner: Any, keys: list[str], own: bool = False) -> None:
        self.owner, self.own = owner, own
        self.keys = keys
        self.values = self._now()

    def _now(self) -> list[Any]:
        return [getattr(self.owner, k, _MISSING) for k in self.keys]

    def items(self) -> Iterator[tuple[str, Any]]:
        return zip(self.keys, self.values, strict=True)

    def same(self) -> bool:
        now = self._now()
        return all(map(is_, now, self.values)) or all(map(_same, now, self.values))

    def changes(self) -> list[Change]:
        return [(k, v) for k, v, w in zip(self.keys, self._now(), self.values, strict=True) if not _same(v, w)]

    def without_changes(self) -> bool:
        changed = {k for k, _ in self.changes()}
        self.keys = [k for k in self.keys if k not in changed]
        self.values = self._now()
        return bool(self.keys)


class _Cell(_Entry):
    """A variable of an enclosing function."""

    def __init__(self, cell: CellType, name: str) -> None:
        self.cell = cell
        self.label = name
        self.values = [self._now()]

    def _now(self) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:
            return _MISSING

    def same(self) -> bool:
        return _same(self._now(), self.values[0])

    def changes(self) -> list[Change]:
        return [] if self.same() else [(self.label, self._now())]


class _Items(_Entry):
    """The items of a list, a tuple, a deque or a set."""

    def __init__(self, container: Any, name: str) -> None:
        self.container = container
        self.label = name
        self.values = list(container)

    def same(self) -> bool:
        now = self.container
        return len(now) == len(self.values) and (
            all(map(is_, now, self.values)) or all(map(_same, list(now), self.values))
        )

    def changes(self) -> list[Change]:
        if self.same():
            return []
        pairs = zip(self.container, self.values, strict=False)
        return [(self.label, now) for now, before in pairs if not _same(now, before)] or [(self.label, None)]


class _Mapping(_Entry):
    """The items of a dict."""

    def __init__(self, mapping: dict[Any, Any], name: str) -> None:
        self.mapping = mapping
        self.label = name
        self.keys = list(mapping)
        self.values = list(mapping.values())

    def items(self) -> Iterator[tuple[str, Any]]:
        return ((k if isinstance(k, str) else self.label, v) for k, v in zip(self.keys, self.values, strict=True))

    def same(self) -> bool:
        now = self.mapping
        if len(now) != len(self.values):
            return False
        return (all(map(is_, now.values(), self.values)) and all(map(is_, now, self.keys))) or not self.changes()

    def changes(self) -> list[Change]:
        before = dict(zip(self.keys, self.values, strict=True))
        found = [(self.label, v) for k, v in self.mapping.items() if not _same(before.get(k, _MISSING), v)]
        return found + [(self.label, None) for k in before if k not in self.mapping]


class _Array(_Entry):
    """The contents of an array."""

    def __init__(self, array: np.ndarray, name: str) -> None:
        self.array = array
        self.label = name
        self.values = []
        self.before = self._now()

    def _now(self) -> Any:
        return self.array.shape, self.array.dtype, self.array.tobytes()

    def same(self) -> bool:
        return bool(self._now() == self.before)


class _Generator(_Entry):
    """The state of a random generator."""

    def __init__(self, generator: Any, name: str) -> None:
        self.generator = generator
        self.label = name
        self.values = []
        self.before = _state_of(generator)

    def same(self) -> bool:
        return bool(_state_of(self.generator) == self.before)

    def is_read(self, name: str, executed: Executed) -> bool:
        return True


def _state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return repr(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        name, key, *rest = generator.get_state()
        return name, key.tobytes(), rest
    return generator.getstate()


def _drawn() -> Any:
    """Where the random generators of NumPy and Python are that need no name."""
    return _state_of(np.random.mtrand._rand), random.getstate()  # type: ignore[attr-defined]


def _same(a: Any, b: Any) -> bool:
    """Whether two objects are the same, or plain values that are equal."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is tuple:
        return len(a) == len(b) and all(map(_same, a, b))
    return isinstance(a, _PLAIN) and (a == b or (a != a and b != b))


def _holds_tensor(thing: Any) -> bool:
    if isinstance(thing, dict):
        thing = list(thing.values())
    return isinstance(thing, Tensor) or (isinstance(thing, (list, tuple, deque)) and any(map(_holds_tensor, thing)))


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
