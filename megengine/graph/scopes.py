"""Which module's forward is running: kept only while someone watches graphs."""

from __future__ import annotations

import threading
from typing import Any

enabled = False


class _Stack(threading.local):
    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()


_stack = _Stack()


def push(module: Any) -> None:
    """Enter a module's forward."""
    _stack.names = (
        *_stack.names,
        getattr(module, "_short_name", None) or getattr(module, "name", None) or type(module).__name__,
    )


def pop() -> None:
    """Leave it."""
    _stack.names = _stack.names[:-1]


def current() -> tuple[str, ...]:
    """Names of the modules whose forward is running, outermost first."""
    return _stack.names
