"""How many threads NumPy's products take: threads of BLAS that wait for each other on a busy machine wait for long.

A thread of OpenBLAS that has helped waits busily for some 25 ms for more to do. Where a program has only a few small products,
that costs as much CPU time as all of the program and gains next to nothing, so those take one thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

LOOKS_EVERY = 1.0  # seconds
COUNTS = 1 << 20  # multiplications; OpenBLAS takes one thread for less
MANY = 1 << 27  # so many in one program are worth waking threads for
_changing = threading.Lock()
_reasons: set[str] = set()  # for one thread
_before: dict[str, int] = {}  # how many threads each library had
_applied: bool | None = (
    False  # whether they are limited; None from when that begins to change, which an interrupt may divide
)
_looked = 0.0
_libraries: list[Any] = []
_few = False  # whether the program that runs has few multiplications
_start = _done = 0


def _set(reason: str, holds: bool) -> None:
    """Have BLAS use one thread as long as there is a reason, and then again as many as before."""
    with _changing:
        (_reasons.add if holds else _reasons.discard)(reason)
        _apply(anew=True)


def _apply(anew: bool) -> None:
    """Change the numbers of threads to what is wanted now.

    Args:
        anew: look for BLAS libraries, which may be more by now.
    """
    global _applied, _libraries
    limited = _few or bool(_reasons)
    if limited is not _applied:
        if anew or not _libraries:
            _libraries = ThreadpoolController().select(user_api="blas").lib_controllers
        if _applied is False:
            _before.clear()
        _applied = None
        for library in _libraries:
            own = _before.setdefault(library.filepath, library.num_threads)
            # The public method of threadpoolctl 3.8 does nothing in any thread but the first that called it; here a lock is held.
            change = getattr(library, "_real_set_num_threads", library.set_num_threads)
            change(1 if limited else own)
        _applied = limited


def begin(expected: int) -> None:
    """A program begins to run, and had this many multiplications in large products the last time."""
    global _start, _done
    _start = _done = MANY if expected >= MANY else 0


def multiplies(count: int) -> None:
    """A product of this many multiplications follows, at least ``COUNTS``."""
    global _done
    _done += count
    if (_done < MANY) is not _few:
        _set_few(_done < MANY)


def end() -> int:
    """The program has ended; returns how many multiplications it had in large products."""
    if _few:
        _set_few(False)
    return _done - _start


def _set_few(few: bool) -> None:
    global _few
    with _changing:
        _few = few
        _apply(anew=False)


@contextmanager
def single_thread(reason: str) -> Iterator[None]:
    """Products take one thread inside the block, in all threads of the process."""
    try:
        _set(reason, True)
        yield
    finally:
        _set(reason, False)


def adapt() -> None:
    """Take one thread while more runs on this machine than it has cores; called before products, looks once a second."""
    global _looked
    now = time.monotonic()
    if now - _looked >= LOOKS_EVERY and hasattr(os, "getloadavg"):
        _looked = now
        _set("busy", os.getloadavg()[0] > (os.cpu_count() or 1) + 0.5)
