"""Bounded caches of what is derived from ops, and of programs: the entry that was used least recently goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T", bound=Hashable)
caches: WeakSet[Any] = WeakSet()  # all of them


class Cache:
    """What has been made for a key, kept while it is among the ``limit`` used last; threads may share it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        caches.add(self)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is kept for a key; else what ``make()`` gives. Of two threads that make it at once, both get the first one's."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        made = make()
        with self._lock:
            made = self._entries.setdefault(key, made)
            while len(self._entries) > self.limit:
                self._entries.popitem(last=False)
        return made

    def items(self) -> list[tuple[Any, Any]]:
        """The keys, and what is kept for each."""
        with self._lock:
            return list(self._entries.items())

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()


class Weighed(Generic[T]):
    """Objects with the bytes that each takes, in the order in which they were used; whoever calls holds a lock.

    Attributes:
        total: the bytes of all of them.
    """

    def __init__(self) -> None:
        self.total = 0
        self._bytes: OrderedDict[T, int] = OrderedDict()

    def weigh(self, item: T, size: int) -> None:
        """Add an object as the one used last, or say that it takes another number of bytes now."""
        self.total += size - self._bytes.get(item, 0)
        self._bytes[item] = size

    def use(self, item: T) -> None:
        """Say that an object is used, if it is among these."""
        if item in self._bytes:
            self._bytes.move_to_end(item)

    def remove(self, item: T) -> None:
        """Take an object away, if it is among these."""
        self.total -= self._bytes.pop(item, 0)

    def beyond(self, limit: int) -> T | None:
        """What should go first to come down to ``limit`` bytes; never the last one that is left."""
        return next(iter(self._bytes)) if self.total > limit and len(self._bytes) > 1 else None

    def __contains__(self, item: object) -> bool:
        return item in self._bytes

    def __len__(self) -> int:
        return len(self._bytes)

    def __iter__(self) -> Iterator[T]:
        return iter(self._bytes)
