"""Bounded caches of what is derived from ops: the entry that was used least recently goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakSet

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

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
