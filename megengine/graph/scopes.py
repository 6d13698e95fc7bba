"""Which module's forward or named part of the program is running: kept only while someone watches graphs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

enabled = False  # somebody watches
_watching: list[None] = []
listeners: list[Callable[[str, str], None]] = []


class Unnamed(str):
    """The class of a module that has no name."""


class _Stack(threading.local):
    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()


_stack = _Stack()


def watch() -> None:
    """Keep names from here on, until as many have called :func:`unwatch`."""
    global enabled
    _watching.append(None)
    enabled = True


def unwatch() -> None:
    """Undo :func:`watch`."""
    global enabled
    _watching.pop()
    enabled = bool(_watching)


def push(module: Any) -> None:
    """Enter a module's forward."""
    enter(getattr(module, "_short_name", None) or getattr(module, "name", None) or Unnamed(type(module).__name__))


def enter(name: str) -> None:
    """Enter a part of the program that has a name."""
    _stack.names = (*_stack.names, name)
    for listener in listeners:
        listener(name, "B")


def pop() -> None:
    """Leave what was entered last."""
    for listener in listeners:
        listener(_stack.names[-1], "E")
    _stack.names = _stack.names[:-1]


def current() -> tuple[str, ...]:
    """Names of the modules whose forward is running, outermost first."""
    return _stack.names
