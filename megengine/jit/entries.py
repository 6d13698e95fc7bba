"""Places that hold what a function can see: namespaces, attributes, items, contents of arrays, states of generators."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain
from operator import getitem, is_
from types import CellType
from typing import Any

import numpy as np

from ..tensor import Tensor
from .executed import Executed

PLAIN = (int, float, complex, str, bytes, bool, type(None), np.generic, np.dtype, type(Ellipsis), range, slice)
MISSING = object()
Change = tuple[str, Any]  # the name of a place, and what is there now


class Labels:
    """The names that one object goes by, and the containers that hold it: a change by one name is seen by the others."""

    __slots__ = ("names", "holders")

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.holders: list[Labels] = []

    def add(self, name: str, holder: Labels | None) -> None:
        """Another way to the object: an item of a container has its names only."""
        if holder is None:
            self.names.add(name)
        elif holder is not self:
            self.holders.append(holder)

    def are_read(self, executed: Executed) -> bool:
        """Whether the program reads what one of them stands for."""
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            labels = waiting.pop()
            if id(labels) not in seen:
                seen.add(id(labels))
                if any(map(executed.is_read, labels.names)):
                    return True
                waiting += labels.holders
        return False


class Glance:
    """The entries flattened, so that a few calls of C code tell whether all places are there and hold the same objects."""

    def __init__(self, entries: list[Entry]) -> None:
        self.owners: list[Any] = []
        self.attributes: list[str] = []
        self.held: list[Any] = []
        self.namespaces: list[Any] = []
        self.keys: list[Any] = []
        self.found: list[Any] = []
        self.sequences: list[Any] = []
        self.members: list[Any] = []
        self.containers: list[Any] = []
        self.lengths: list[int] = []
        self.others = [entry for entry in entries if not entry.flatten(self)]

    def has(self, container: Any, length: int) -> None:
        """A container has so many items."""
        self.containers.append(container)
        self.lengths.append(length)

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


class Entry:
    """One object with named or numbered places.

    Attributes:
        values: what was in them.
        label: a name of the object, for messages.
        labels: all names of it, if its places have none of their own.
        own: the object is of a class of this package.
        rebinds: a change of it puts something in a place that had something before.
    """

    label = ""
    labels: Labels | None = None
    own = False
    rebinds = True
    values: list[Any]

    def items(self) -> Iterator[tuple[str, Any]]:
        return ((self.label, value) for value in self.values)

    def flatten(self, glance: Glance) -> bool:
        """Add the places to those that are compared at once; returns whether that was possible."""
        return False

    def same(self) -> bool:
        """Whether nothing has changed."""
        raise NotImplementedError

    def settle(self) -> None:
        """Take what is there now, which is the same, for what was there: a glance compares objects."""

    def changes(self) -> list[Change]:
        """The places that have changed."""
        return [] if self.same() else [(self.label, None)]

    def without_changes(self) -> bool:
        """Stop watching the places that have changed; returns whether there are others."""
        return self.same()

    def is_read(self, name: str, executed: Executed) -> bool:
        if self.labels is not None:
            return self.labels.are_read(executed)
        return executed.is_read(name) or (self.own and name in executed.package_names)


class Names(Entry):
    """Some names of a namespace; if it is an object's, also which names that it does not have yet may be looked up.

    Args:
        namespace: the namespace.
        keys: names that it has.
        owner: the object whose attributes these are, if they are an object's.
        own: the object is of a class of this package.
        wanted: those of the names that may come which matter; None for all.
        ignored: names that do not matter.
        closed: names that come do not matter.
        opaque: code that cannot be looked at reads any of them.
    """

    def __init__(
        self,
        namespace: Any,
        keys: list[Any],
        owner: Any,
        own: bool,
        wanted: AbstractSet[str] | None = None,
        ignored: AbstractSet[str] = frozenset(),
        closed: bool = False,
        opaque: bool = False,
    ) -> None:
        self.namespace = namespace
        self.owner = owner
        self.keys = keys
        self.own = own
        self.values = [namespace[k] for k in keys]
        self.wanted = wanted
        self.closed = closed or owner is None
        self.opaque = opaque
        self.ignored = set(ignored)
        self.all_keys = list(namespace)

    def items(self) -> Iterator[tuple[str, Any]]:
        return zip(self.keys, self.values, strict=True)

    def flatten(self, glance: Glance) -> bool:
        glance.namespaces += [self.namespace] * len(self.keys)
        glance.keys += self.keys
        glance.found += self.values
        if self.owner is not None:
            glance.owners.append(self.owner)
            glance.attributes.append("__dict__")
            glance.held.append(self.namespace)
        if not self.closed:
            glance.has(self.namespace, len(self.all_keys))
            if self.wanted is not None:  # one that is not looked at may go while another comes
                glance.sequences.append(self.namespace)
                glance.members += self.all_keys
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
            if not same(before, value := now.get(k, MISSING))
        ]
        if not self.closed:
            known = self.ignored.union(self.keys)
            found += [(k, v) for k, v in now.items() if k not in known and (self.wanted is None or k in self.wanted)]
        return found

    def without_changes(self) -> bool:
        changed = {k for k, _ in self.changes()}
        kept = [(k, v) for k, v in zip(self.keys, self.values, strict=True) if k not in changed]
        self.keys, self.values = [k for k, _ in kept], [v for _, v in kept]
        self.ignored |= changed
        self.all_keys = list(self._now())
        return bool(kept) or not self.closed

    def settle(self) -> None:
        now = self._now()
        values, keys = [now.get(k, MISSING) for k in self.keys], list(now)
        if self.same() and all(map(same, values, self.values)):
            self.values, self.all_keys = values, keys

    def is_read(self, name: str, executed: Executed) -> bool:
        return self.opaque or super().is_read(name, executed)


class Absent(Entry):
    """Names that a class, a module or the globals of a function do not have: another place is looked at for them."""

    def __init__(self, namespace: Mapping[str, Any], names: Iterable[str]) -> None:
        self.namespace = namespace
        self.names = frozenset(names) - namespace.keys()
        self.values = []

    def same(self) -> bool:
        return self.namespace.keys().isdisjoint(self.names)

    def changes(self) -> list[Change]:
        return [(k, self.namespace[k]) for k in self.names & self.namespace.keys()]

    def without_changes(self) -> bool:
        self.names -= self.namespace.keys()
        return True


class Attributes(Entry):
    """Attributes that are in no namespace."""

    def __init__(self, owner: Any, keys: list[str], own: bool = False) -> None:
        self.owner, self.own = owner, own
        self.keys = keys
        self.values = self._now()

    def flatten(self, glance: Glance) -> bool:
        glance.owners += [self.owner] * len(self.keys)
        glance.attributes += self.keys
        glance.held += self.values
        return True

    def _now(self) -> list[Any]:
        return [getattr(self.owner, k, MISSING) for k in self.keys]

    def items(self) -> Iterator[tuple[str, Any]]:
        return zip(self.keys, self.values, strict=True)

    def same(self) -> bool:
        return all(map(same, self._now(), self.values))

    def changes(self) -> list[Change]:
        return [(k, v) for k, v, w in zip(self.keys, self._now(), self.values, strict=True) if not same(v, w)]

    def without_changes(self) -> bool:
        changed = {k for k, _ in self.changes()}
        self.keys = [k for k in self.keys if k not in changed]
        self.values = self._now()
        return bool(self.keys)

    def settle(self) -> None:
        now = self._now()
        if all(map(same, now, self.values)):
            self.values = now


class Cell(Entry):
    """A variable of an enclosing function."""

    def __init__(self, cell: CellType, name: str) -> None:
        self.cell = cell
        self.label = name
        self.values = [self._now()]

    def flatten(self, glance: Glance) -> bool:
        glance.owners.append(self.cell)
        glance.attributes.append("cell_contents")
        glance.held += self.values
        return True

    def _now(self) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:
            return MISSING

    def same(self) -> bool:
        return same(self._now(), self.values[0])

    def changes(self) -> list[Change]:
        return [] if self.same() else [(self.label, self._now())]


class Looked(Entry):
    """What a function of C code tells."""

    def __init__(self, look: Callable[[], Any], name: str, labels: Labels) -> None:
        self.look = look
        self.label, self.labels = name, labels
        self.values = [look()]

    def same(self) -> bool:
        return same(self.look(), self.values[0])

    def without_changes(self) -> bool:
        self.values = [self.look()]
        return True


class Items(Entry):
    """The items of a list, a tuple, a deque or a set."""

    def __init__(self, container: Any, name: str, labels: Labels) -> None:
        self.container = container
        self.label, self.labels = name, labels
        self.values = list(container)

    def flatten(self, glance: Glance) -> bool:
        glance.sequences.append(self.container)
        glance.members += self.values
        glance.has(self.container, len(self.values))
        return True

    def settle(self) -> None:
        now = list(self.container)
        if len(now) == len(self.values) and all(map(same, now, self.values)):
            self.values = now

    def same(self) -> bool:
        now = self.container
        return len(now) == len(self.values) and all(map(same, now, self.values))

    def changes(self) -> list[Change]:
        if self.same():
            return []
        now = list(self.container)
        pairs = zip(now, self.values, strict=False)
        changed = [(self.label, a) for a, b in pairs if not same(a, b)]
        return [*changed, (self.label, now[len(self.values) :])]


class MappingItems(Entry):
    """The items of a dict."""

    def __init__(self, mapping: Mapping[Any, Any], name: str, labels: Labels) -> None:
        self.mapping = mapping
        self.label, self.labels = name, labels
        self.keys = list(mapping)
        self.values = list(mapping.values())

    def flatten(self, glance: Glance) -> bool:
        if type(self.mapping) not in (dict, OrderedDict):
            return False  # looking for a key that is gone may make it
        glance.namespaces += [self.mapping] * len(self.keys)
        glance.keys += self.keys
        glance.found += self.values
        glance.sequences.append(self.mapping)
        glance.members += self.keys
        glance.has(self.mapping, len(self.keys))
        return True

    def settle(self) -> None:
        keys, values = list(self.mapping), list(self.mapping.values())
        if len(keys) == len(self.keys) and all(map(same, (*keys, *values), (*self.keys, *self.values))):
            self.keys, self.values = keys, values

    def same(self) -> bool:
        return not self.changes()

    def changes(self) -> list[Change]:
        before = dict(zip(self.keys, self.values, strict=True))
        found = [(self.label, v) for k, v in self.mapping.items() if not same(before.get(k, MISSING), v)]
        if len(self.mapping) != len(before) or not all(map(same, self.mapping, self.keys)):
            found.append((self.label, None))
        return found


class Array(Entry):
    """The contents of an array."""

    def __init__(self, array: np.ndarray, name: str, labels: Labels) -> None:
        self.array = array
        self.label, self.labels = name, labels
        self.values = []
        self.before = self._now()

    def _now(self) -> Any:
        return self.array.shape, self.array.dtype, self.array.tobytes()

    def same(self) -> bool:
        return bool(self._now() == self.before)


class Generator(Entry):
    """The state of a random generator."""

    def __init__(self, generator: Any, name: str) -> None:
        self.generator = generator
        self.label = name
        self.values = []
        self.before = state_of(generator)

    def same(self) -> bool:
        return bool(state_of(self.generator) == self.before)

    def is_read(self, name: str, executed: Executed) -> bool:
        return True


def state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return repr(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        name, key, *rest = generator.get_state(legacy=True)
        return name, np.asarray(key).tobytes(), rest
    return generator.getstate()


def drawn() -> Any:
    """Where the random generators of NumPy and Python are that need no name."""
    return state_of(np.random.mtrand._rand), random.getstate()  # type: ignore[attr-defined]


def same(a: Any, b: Any) -> bool:
    """Whether two objects are the same, or plain values that are equal."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is tuple:
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (float, complex, np.generic)):
        return repr(a) == repr(b)  # tells 0.0 from -0.0, and finds NaN equal
    return isinstance(a, PLAIN) and bool(a == b)


def holds_tensor(thing: Any) -> bool:
    if isinstance(thing, dict):
        thing = list(thing.values())
    return isinstance(thing, Tensor) or (isinstance(thing, (list, tuple, deque)) and any(map(holds_tensor, thing)))


