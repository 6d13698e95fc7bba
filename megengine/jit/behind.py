"""What objects of the standard library hold and their attributes do not show."""

from __future__ import annotations

import functools
import gc
import threading
import weakref
from collections.abc import ItemsView, KeysView, ValuesView
from types import MappingProxyType
from typing import Any

CACHED = type(functools.lru_cache(lambda: None))
SOME = 64
_WEAK: Any = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet)
_VIEWS: Any = (KeysView, ValuesView, ItemsView)


def behind(thing: Any) -> list[Any] | None:
    """The objects behind one that gives them out when it is called, looked up or iterated over; None if it is no such."""
    if isinstance(thing, weakref.ref):
        return [thing()]
    if isinstance(thing, _WEAK):
        return [thing.data]
    if isinstance(thing, CACHED):
        return [thing.__wrapped__, _results(thing)]
    if isinstance(thing, threading.local):
        return [vars(thing)]
    if isinstance(thing, _VIEWS) and isinstance(getattr(thing, "mapping", None), MappingProxyType):
        return [thing.mapping]
    return None


def kept_by(cached: Any) -> tuple[Any, ...]:
    """How often a function of :func:`functools.lru_cache` has been run, and some of what it keeps: cleared, it runs again."""
    return (*cached.cache_info()[1::2], *_results(cached)[:SOME])


def _results(cached: Any) -> list[Any]:
    """What a function of :func:`functools.lru_cache` has returned and keeps; only the garbage collector knows it."""
    found = []
    for held in gc.get_referents(cached):
        if type(held) is not dict:  # with a limit, the arguments and results themselves
            found.append(held)
        elif held is not cached.__dict__:  # by arguments, without a limit
            found += [kept for kept in held.values() if type(kept).__name__ != "_lru_list_elem"]
    return [one for one in found if one is not cached.__wrapped__ and not isinstance(one, type)]
