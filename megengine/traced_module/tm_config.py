"""Switches of tracing, and who traces in this thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["disable_default_checker", "enable_expr_checker"]


class _State(threading.local):
    """What a thread traces."""

    tracer: Any = None
    tracing = False
    surgery: Any = None


state = _State()
_enable_expr_checker = False
_enable_default_checker = True


def enable_expr_checker() -> None:
    """Have the result of every expression checked while a module is traced, by running it again."""
    global _enable_expr_checker, _enable_default_checker
    _enable_expr_checker = True
    _enable_default_checker = False


def disable_default_checker() -> None:
    """Do not run a traced module once to compare its result with the original's."""
    global _enable_default_checker
    _enable_default_checker = False


def checks_expressions() -> bool:
    return _enable_expr_checker


def checks_results() -> bool:
    return _enable_default_checker


def active_surgery() -> Any:
    """Who inserts expressions into a graph of this thread, or None."""
    return state.surgery


def _graph_surgery_mode() -> bool:
    return state.surgery is not None


def is_tracing() -> bool:
    """Whether calls of this thread are recorded."""
    return state.tracing


@contextlib.contextmanager
def exclude_from_trace() -> Iterator[None]:
    """Record nothing of what is called within."""
    before, state.tracing = state.tracing, False
    try:
        yield
    finally:
        state.tracing = before
