"""Changes of several tensors that happen together or not at all, whatever exception comes between, an interrupt included.

CPython handles signals between bytecodes, never inside a call of C code. So attributes that have to change together are set by
one such call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import starmap
from operator import call
from typing import Any

from .recorder import thread
from .value import Handle


def call_together(calls: Sequence[tuple[Any, ...]]) -> None:
    """Call C functions, given as (function, *arguments), uninterruptibly."""
    deque(starmap(call, calls), 0)


def set_together(changes: Iterable[tuple[Any, str, Any]]) -> None:
    """Set attributes whose setters are C code, given as (object, name, value) in a container of C code, uninterruptibly."""
    deque(starmap(setattr, changes), 0)


def together(change: Callable[..., Any], *args: Any) -> None:
    """Call ``change(*args)``; if it raises, every tensor that it has rebound is as before, and so is every ``grad``.

    The graph is not flushed at the limit of pending ops meanwhile: what was before has to stay.
    """
    outer = thread.undo
    log: list[tuple[Any, ...]] = []
    thread.undo = log
    try:
        change(*args)
    except BaseException:
        set_together(_back(log))
        raise
    finally:
        thread.undo = outer
    if outer is not None:
        outer += log


def _back(log: list[tuple[Any, ...]]) -> list[tuple[Any, str, Any]]:
    """The changes that undo a log of (tensor, value, gradient node, result of that node) and (tensor, grad), the last first."""
    changes = []
    for tensor, *before in reversed(log):
        names = ("_grad",) if len(before) == 1 else ("_value", "_node", "_slot")
        changes += [(tensor, name, old) for name, old in zip(names, before, strict=True)]
    return changes


def reset_together(tensors: Sequence[Handle], values: Sequence[Any]) -> None:
    """Make tensors hold other values, all of them or none."""
    together(_reset, tensors, values)


def _reset(tensors: Sequence[Any], values: Sequence[Any]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor._reset(value)
