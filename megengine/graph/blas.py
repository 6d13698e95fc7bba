"""How many threads NumPy's products take: threads of BLAS that wait for each other on a busy machine wait for long.

A thread of OpenBLAS that has helped waits busily for some 25 ms for more to do. Where a program has only small products, that
costs as much CPU time as all of the program and gains next to nothing, so those take one thread. The last digits of a product
depend on the number of threads, so nothing but its size decides where a tier is asked for by name.
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
COUNTS = 1 << 18  # multiplications; OpenBLAS takes one thread for less
LARGE = 1 << 24  # so many in one product are worth waking threads for
_changing = threading.Lock()
_reasons: set[str] = set()  # for one thread
_before: dict[str, int] = {}  # how many threads each library had
_applied: bool | None = (
    False  # whether they are limited; None from when that begins to change, which an interrupt may divide
)
_looked = 0.0
_libraries: list[Any] = []
_small = False  # whether the last product of the program that runs was a small one


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
    limited = _small or bool(_reasons)
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


def multiplies(count: int) -> None:
    """A product of this many multiplications follows, at least ``COUNTS``."""
    if (count < LARGE) is not _small:
        _set_small(not _small)


def end() -> None:
    """The program has ended: what follows is not the engine's."""
    if _small:
        _set_small(False)


def _set_small(small: bool) -> None:
    global _small
    with _changing:
        _small = small
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
