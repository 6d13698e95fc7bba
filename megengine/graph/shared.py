"""Tensors that several threads change: what is read, computed from and written back happens under one lock.

Random streams, gradients that add up, running statistics and optimizer state are such tensors. Whoever holds the lock may wait
for another thread's graph to run, never the other way round.
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Iterable
from typing import Any

from .execute import evaluate_together
from .flushing import flush
from .recorder import Recorder, thread
from .value import Handle, Value

exclusive = threading.RLock()
ROUNDS = 64


class CopiedWhole:
    """What holds tensors that a step changes: a deep copy is of one step, whichever thread trains meanwhile."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        with exclusive:
            return copy._reconstruct(self, memo, *self.__reduce_ex__(4))  # type: ignore[attr-defined]  # as without this


class _Contention:
    """For how many more changes results are computed at once, since another thread is likely to need them next."""

    left = 0


def claim(handles: Iterable[Handle]) -> None:
    """Compute what other threads have recorded of these tensors, in one program a thread; call it with the lock held."""
    elsewhere: dict[Recorder, list[Value]] = {}
    for handle in handles:
        value = handle._value
        if value.array is None:
            recorder = value.recorder
            if recorder is not thread.recorder and recorder is not thread.ended and isinstance(recorder, Recorder):
                elsewhere.setdefault(recorder, []).append(value)
    for recorder, values in elsewhere.items():
        evaluate_together(recorder, values)
    if elsewhere:
        _Contention.left = ROUNDS


def publish() -> None:
    """Run what is pending if other threads take part, so that they need not compute parts of it; call it with the lock held."""
    if _Contention.left and thread.undo is None:
        _Contention.left = _Contention.left - 1 if threading.active_count() > 1 else 0
        if _Contention.left:
            flush("thread")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=exclusive._at_fork_reinit)  # type: ignore[attr-defined]
