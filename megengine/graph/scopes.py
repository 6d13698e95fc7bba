"""Which module's forward or named part of the program is running: kept only while someone watches graphs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

enabled = False  # somebody watches
_watching: dict[int, object] = {}
listeners: list[Callable[[str, str], None]] = []


class Unnamed(str):
    """The class of a module that has no name."""


class _Stack(threading.local):
    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()


here = _Stack()


def watch(watcher: object) -> None:
    """Keep names from here on, until all watchers have called :func:`unwatch`."""
    global enabled
    _watching[id(watcher)] = watcher
    enabled = True


def unwatch(watcher: object) -> None:
    """Undo :func:`watch`, if it has been called."""
    global enabled
    _watching.pop(id(watcher), None)
    enabled = bool(_watching)


def push(module: Any) -> None:
    """Enter a module's forward."""
    enter(getattr(module, "_short_name", None) or getattr(module, "name", None) or Unnamed(type(module).__name__))


def enter(name: str) -> None:
    """Enter a part of the program that has a name."""
    here.names = (*here.names, name)
    for listener in listeners:
        listener(name, "B")


def leave(outer: tuple[str, ...]) -> None:
    """Leave what was entered last, where ``outer`` was :func:`current`."""
    left, here.names = here.names[len(outer) :], outer
    for name in left:
        for listener in listeners:
            listener(name, "E")


def current() -> tuple[str, ...]:
    """Names of the modules whose forward is running, outermost first."""
    return here.names
