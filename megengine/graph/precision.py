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


class _Here(threading.local):
    own: Precision | None = None


here = _Here()
_changing = threading.Lock()
_casting = Cache(4096)  # the same op each time, so that it has a place in structures
_of_process = Precision(False, FLOAT16, FLOAT32)
ever_on = False  # spares programs that do not use it the question at each op


def current() -> Precision:
    """The setting in force in this thread."""
    return here.own or _of_process


def change(**fields: Any) -> None:
    """Change the setting in force: that of the innermost block, or outside of blocks the process's."""
    global _of_process, ever_on
    with _changing:
        changed = current()._replace(**fields)
        if here.own is not None:
            here.own = changed
        else:
            _of_process = changed
    ever_on = ever_on or changed.enabled


def enter(outers: list[Precision | None], **fields: Any) -> None:
    """Begin a block with a setting of its own; ``outers`` gets what was in force, which ``here.own`` gets at its end."""
    global ever_on
    own = current()._replace(**fields)
    ever_on = ever_on or own.enabled
    outers.append(here.own)
    here.own = own  # last, where no interrupt can come before the block has begun


def cast(op: Op) -> Op:
    """What to record for an op that has a rule."""
    setting = here.own or _of_process
    if not setting.enabled:
        return op
    found: Op = _casting.get((op, setting), lambda: under(op, setting.low, setting.high))
    return found
