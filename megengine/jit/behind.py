"""What objects of the standard library hold and their attributes do not show."""

from __future__ import annotations

import ctypes
import functools
import gc
import io
import logging
import queue
import sys
import threading
import weakref
from collections.abc import Callable, ItemsView, KeysView, ValuesView
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


def _of_processes(module: str, kind: str) -> tuple[type, ...]:
    """A class of ``multiprocessing``; none where the program has not imported it."""
    found = sys.modules.get(f"multiprocessing.{module}")
    return () if found is None else (getattr(found, kind),)


# What tells what an object of some kinds holds; the kinds are asked for when needed.
_TELLING: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
    (lambda: (threading.Event, *_of_processes("synchronize", "Event")), lambda event: event.is_set()),
    (lambda: (queue.Queue, queue.SimpleQueue), lambda one: one.qsize()),
    (lambda: _of_processes("sharedctypes", "SynchronizedBase"), lambda held: bytes(held.get_obj())),
    (lambda: (ctypes._SimpleCData, ctypes.Array, ctypes.Structure, ctypes.Union), bytes),
    (lambda: (io.StringIO, io.BytesIO), lambda file: (file.tell(), file.getvalue())),
    (lambda: logging.Logger, lambda logger: (logger.getEffectiveLevel(), logger.disabled)),
]


def told_by(thing: Any) -> Callable[[], Any] | None:
    """A function that tells what such an object of C code, or of threads, holds; None of other objects."""
    if type(thing) in weakref.ProxyTypes:
        return None
    return next((functools.partial(look, thing) for kinds, look in _TELLING if isinstance(thing, kinds())), None)


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
