"""What objects of the standard library hold and their attributes do not show."""

from __future__ import annotations

import ctypes
import functools
import gc
import io
import logging
import queue
import threading
import weakref
from collections.abc import Callable, ItemsView, KeysView, ValuesView
from multiprocessing import sharedctypes, synchronize
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
    if type(thing) in weakref.ProxyTypes:
        return [thing.__reduce_ex__.__self__]
    if isinstance(thing, _WEAK):
        return [thing.data]
    if isinstance(thing, CACHED):
        return [thing.__wrapped__, _results(thing)]
    if isinstance(thing, threading.local):
        return [vars(thing)]
    if isinstance(thing, _VIEWS) and isinstance(getattr(thing, "mapping", None), MappingProxyType):
        return [thing.mapping]
    return None


# By what each tells of what it holds.
_TELLING: list[tuple[Any, Callable[[Any], Any]]] = [
    ((threading.Event, synchronize.Event), lambda event: event.is_set()),
    ((queue.Queue, queue.SimpleQueue), lambda one: one.qsize()),
    (sharedctypes.SynchronizedBase, lambda held: bytes(held.get_obj())),
    ((ctypes._SimpleCData, ctypes.Array, ctypes.Structure, ctypes.Union), bytes),
    ((io.StringIO, io.BytesIO), lambda file: (file.tell(), file.getvalue())),
    (logging.Logger, lambda logger: (logger.getEffectiveLevel(), logger.disabled)),
]


def told_by(thing: Any) -> Callable[[], Any] | None:
    """A function that tells what such an object of C code, or of threads, holds; None of other objects."""
    kind = type(thing)
    if kind in weakref.ProxyTypes:
        return None
    for kinds, look in _TELLING:
        if isinstance(thing, kinds):
            return functools.partial(look, thing)
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
