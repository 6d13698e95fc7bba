"""Automatic mixed precision: whether it is on, its two dtypes, and what is recorded in place of an op that it casts.

The setting is the process's, and inside an autocast block that of the thread. The ops recorded under it are other ops, so
that graphs of different precision have different structures.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from ..ops.autocast import under
from ..ops.op import Op
from ..ops.promote import FLOAT16, FLOAT32
from .caches import Cache


class Precision(NamedTuple):
    """Whether ops are cast, and to what."""

    enabled: bool
    low: np.dtype[Any]
    high: np.dtype[Any]


class _Local(threading.local):
    own: Precision | None = None


_local = _Local()
_changing = threading.Lock()
_casting = Cache(4096)  # the same op each time, so that it has a place in structures
_of_process = Precision(False, FLOAT16, FLOAT32)
ever_on = False  # spares programs that do not use it the question at each op


def current() -> Precision:
    """The setting in force in this thread."""
    return _local.own or _of_process


def change(**fields: Any) -> None:
    """Change the setting in force: that of the innermost block, or outside of blocks the process's."""
    global _of_process, ever_on
    with _changing:
        changed = current()._replace(**fields)
        if _local.own is not None:
            _local.own = changed
        else:
            _of_process = changed
    ever_on = ever_on or changed.enabled


def enter(**fields: Any) -> Precision | None:
    """Begin a block with a setting of its own; returns what :func:`leave` takes at its end."""
    outer, _local.own = _local.own, current()
    change(**fields)
    return outer


def leave(outer: Precision | None) -> None:
    """End a block."""
    _local.own = outer


def cast(op: Op) -> Op:
    """What to record for an op that has a rule."""
    setting = _local.own or _of_process
    if not setting.enabled:
        return op
    found: Op = _casting.get((op, setting), lambda: under(op, setting.low, setting.high))
    return found
