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
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import partial
from itertools import chain
from operator import getitem, is_
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..autodiff import GradManager
from ..module import Module
from ..optimizer import Optimizer
from ..tensor import Tensor
from .behind import CACHED, behind, kept_by
from .executed import Executed, global_names, imported_names, is_of_library, is_watched_file

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
_TRACE = __name__.rpartition(".")[0] + ".tracing"
ARGUMENT = "an argument"
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
        self._waiting: list[tuple[Any, str]] = [(root, ARGUMENT) for root in roots]
        for code, namespace in executed.codes.items():
            self._names(namespace, [n for n in global_names(code) if n in namespace])
            self._waiting += [(sys.modules[n], n) for n in imported_names(code) if n in sys.modules]
        self._reach_all()
        self._waiting += [(function, function.__name__) for function in _functions_of(self._not_found())]
        self._reach_all()
        self._draws = _drawn()
        self._glance: _Glance | None = None

    def unchanged(self) -> bool:
        """Whether everything is as it was; asked before every call that skips the body."""
        if self._glance is None:
            self._glance = _Glance(self.entries)
        return self._glance.shows_no_change() or all(entry.same() for entry in self.entries)

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

    def _reach_all(self) -> None:
        while self._waiting and self.refused is None:
            self._reach(*self._waiting.pop())

    def _not_found(self) -> list[CodeType]:
        """Code with variables of an enclosing function, of which no function has been reached."""
        found = {f.__code__ for f in self.reached.values() if isinstance(f, FunctionType)}
        return [c for c in self.executed.codes if c.co_freevars and c not in found and "<" not in c.co_name[1:]]

    def _add(self, entry: _Entry) -> None:
        self.entries.append(entry)
        self._slots += len(entry.values)
        if self._slots > SLOT_LIMIT:
            self.refused = f"it can see more than {SLOT_LIMIT:,} Python objects"
        for name, value in entry.items():
            if type(value) not in _LEAVES:
                self._waiting.append((value, name))

    def _names(self, namespace: Any, keys: list[Any], owner: Any = None, own: bool = False) -> None:
        if keys or owner is not None:  # an object without attributes may get some
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
        elif isinstance(thing, (classmethod, staticmethod)):
            self._waiting.append((thing.__func__, name))
        elif isinstance(thing, property):
            self._waiting += [(f, name) for f in (thing.fget, thing.fset) if f is not None]
        elif type(thing).__module__ == _TRACE:
            self._waiting.append((thing.__wrapped__, name))
        elif isinstance(thing, partial):
            self._waiting += (thing.func, name), (thing.args, name), (thing.keywords, name)
        elif isinstance(thing, ModuleType):
            watched = is_watched_file(getattr(thing, "__file__", None) or "<frozen >")
            known = self.executed.names if watched else self.executed.own_names
            self._names(vars(thing), [k for k in vars(thing) if k in known])
        elif isinstance(thing, type):
            self._reach_class(thing)
        elif isinstance(thing, np.ndarray):
            self._reach_array(thing, name)
        elif isinstance(thing, (bytearray, array, memoryview)):
            self._reach_array(np.asarray(thing), name)
        elif isinstance(thing, (np.random.RandomState, np.random.Generator, random.Random)):
            self._add(_Generator(thing, name))
        elif isinstance(thing, (dict, MappingProxyType)):
            self._add(_Mapping(thing, name))
            self._reach_object(thing)
        elif isinstance(thing, (list, tuple, deque, set, frozenset)):
            self._add(_Items(thing, name))
            self._reach_object(thing)
        elif isinstance(thing, ContextVar):
            self._add(_Looked(partial(thing.get, _MISSING), name))
        elif (held := behind(thing)) is not None:
            self._waiting += [(one, name) for one in held]
            if isinstance(thing, CACHED):
                self._add(_Looked(partial(kept_by, thing), name))
        elif hasattr(type(thing), "__next__") and type(thing).__module__ not in _OPAQUE:
            if self.executed.is_read(name):
                self.refused = f"it uses the iterator `{name}`" if name != ARGUMENT else "an argument is an iterator"
        else:
            self._reach_object(thing)

    def _reach_function(self, function: FunctionType) -> None:
        if hasattr(function, "__wrapped__"):
            self._waiting.append((function.__wrapped__, function.__name__))
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
                    vars(base), [k for k in vars(base) if k[:2] != "__" and (k in known or self.executed.whole)]
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
            known, whole = self.executed.names, own or isinstance(thing, Module) or self.executed.whole
            whole = whole or is_of_library(cls)  # what its methods read has not been looked at
            self._names(attributes, [k for k in attributes if whole or k in known], thing, own)
        slots = [n for base in cls.__mro__ for n in _slots_of(base) if n not in ("__dict__", "__weakref__")]
        if slots and not _is_builtin(cls):
            self._add(_Attributes(thing, slots, own))
        if not own:
            self._waiting.append((cls, cls.__name__))


class _Glance:
    """The entries flattened, so that a few calls of C code tell whether all places are there and hold the same objects."""

    def __init__(self, entries: list[_Entry]) -> None:
        self.owners: list[Any] = []
        self.attributes: list[str] = []
        self.held: list[Any] = []
        self.namespaces: list[Any] = []
        self.keys: list[Any] = []
        self.found: list[Any] = []
        self.sequences: list[Any] = []
        self.members: list[Any] = []
        self.containers: list[Any] = []
        self.others = [entry for entry in entries if not entry.flatten(self)]
        self.lengths = [*map(len, self.containers)]

    def shows_no_change(self) -> bool:
        """False if a closer look is needed."""
        try:
            return (
                all(map(is_, map(getattr, self.owners, self.attributes), self.held))
                and all(map(is_, map(getitem, self.namespaces, self.keys), self.found))
                and [*map(len, self.containers)] == self.lengths
                and all(map(is_, chain.from_iterable(self.sequences), self.members))
                and all(entry.same() for entry in self.others)
            )
        except (AttributeError, KeyError, ValueError):
            return False  # something is gone


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

    def flatten(self, glance: _Glance) -> bool:
        """Add the places to those that are compared at once; returns whether that was possible."""
        return False

    def same(self) -> bool:
        """Whether nothing has changed."""
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

    def flatten(self, glance: _Glance) -> bool:
        glance.namespaces += [self.namespace] * len(self.keys)
        glance.keys += self.keys
        glance.found += self.values
        if self.owner is not None:
            glance.owners.append(self.owner)
            glance.attributes.append("__dict__")
            glance.held.append(self.namespace)
        if self.count is not None:
            glance.containers.append(self.namespace)
        return True

    def _now(self) -> Any:
        return self.namespace if self.owner is None else self.owner.__dict__

    def same(self) -> bool:
        return not self.changes()

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
        return bool(kept) or self.count is not None


class _Attributes(_Entry):
    """Attributes that are in no namespace."""

    def __init__(self, owner: Any, keys: list[str], own: bool = False) -> None:
        self.owner, self.own = owner, own
        self.keys = keys
        self.values = self._now()

    def flatten(self, glance: _Glance) -> bool:
        glance.owners += [self.owner] * len(self.keys)
        glance.attributes += self.keys
        glance.held += self.values
        return True

    def _now(self) -> list[Any]:
        return [getattr(self.owner, k, _MISSING) for k in self.keys]

    def items(self) -> Iterator[tuple[str, Any]]:
        return zip(self.keys, self.values, strict=True)

    def same(self) -> bool:
        return all(map(_same, self._now(), self.values))

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

    def flatten(self, glance: _Glance) -> bool:
        glance.owners.append(self.cell)
        glance.attributes.append("cell_contents")
        glance.held += self.values
        return True

    def _now(self) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:
            return _MISSING

    def same(self) -> bool:
        return _same(self._now(), self.values[0])

    def changes(self) -> list[Change]:
        return [] if self.same() else [(self.label, self._now())]


class _Looked(_Entry):
    """What a function of C code tells."""

    def __init__(self, look: Callable[[], Any], name: str) -> None:
        self.look = look
        self.label = name
        self.values = [look()]

    def same(self) -> bool:
        return _same(self.look(), self.values[0])

    def without_changes(self) -> bool:
        self.values = [self.look()]
        return True


class _Items(_Entry):
    """The items of a list, a tuple, a deque or a set."""

    def __init__(self, container: Any, name: str) -> None:
        self.container = container
        self.label = name
        self.values = list(container)

    def flatten(self, glance: _Glance) -> bool:
        glance.sequences.append(self.container)
        glance.members += self.values
        glance.containers.append(self.container)
        return True

    def same(self) -> bool:
        now = self.container
        return len(now) == len(self.values) and all(map(_same, now, self.values))

    def changes(self) -> list[Change]:
        if self.same():
            return []
        now = list(self.container)
        pairs = zip(now, self.values, strict=False)
        changed = [(self.label, a) for a, b in pairs if not _same(a, b)]
        return [*changed, (self.label, now[len(self.values) :])]


class _Mapping(_Entry):
    """The items of a dict."""

    def __init__(self, mapping: Mapping[Any, Any], name: str) -> None:
        self.mapping = mapping
        self.label = name
        self.keys = list(mapping)
        self.values = list(mapping.values())

    def items(self) -> Iterator[tuple[str, Any]]:
        return ((k if isinstance(k, str) else self.label, v) for k, v in zip(self.keys, self.values, strict=True))

    def flatten(self, glance: _Glance) -> bool:
        if type(self.mapping) not in (dict, OrderedDict):
            return False  # looking for a key that is gone may make it
        glance.namespaces += [self.mapping] * len(self.keys)
        glance.keys += self.keys
        glance.found += self.values
        glance.sequences.append(self.mapping)
        glance.members += self.keys
        glance.containers.append(self.mapping)
        return True

    def same(self) -> bool:
        return not self.changes()

    def changes(self) -> list[Change]:
        before = dict(zip(self.keys, self.values, strict=True))
        found = [(self.label, v) for k, v in self.mapping.items() if not _same(before.get(k, _MISSING), v)]
        if len(self.mapping) != len(before) or not all(map(_same, self.mapping, self.keys)):
            found.append((self.label, None))
        return found


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


def _functions_of(codes: list[CodeType]) -> list[FunctionType]:
    """All functions with such code; only the garbage collector knows them."""
    wanted = set(codes)
    referrers = gc.get_referrers(*codes) if codes else []
    return [f for f in referrers if isinstance(f, FunctionType) and f.__code__ in wanted]


def _state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return repr(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        name, key, *rest = generator.get_state(legacy=True)
        return name, np.asarray(key).tobytes(), rest
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
    if isinstance(a, (float, complex, np.generic)):
        return repr(a) == repr(b)  # tells 0.0 from -0.0, and finds NaN equal
    return isinstance(a, _PLAIN) and bool(a == b)


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
