"""How many threads NumPy's products take: threads of BLAS that wait for each other on a busy machine wait for long."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

LOOKS_EVERY = 1.0  # seconds
_changing = threading.Lock()
_reasons: set[str] = set()  # for one thread
_before: dict[str, int] = {}  # how many threads each library had
_applied: bool | None = (
    False  # whether they are limited; None from when that begins to change, which an interrupt may divide
)
_looked = 0.0


def _set(reason: str, holds: bool) -> None:
    """Have BLAS use one thread as long as there is a reason, and then again as many as before."""
    global _applied
    with _changing:
        (_reasons.add if holds else _reasons.discard)(reason)
        limited = bool(_reasons)
        if limited is not _applied:
            libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            if _applied is False:
                _before.clear()
            _applied = None
            for library in libraries:
                own = _before.setdefault(library.filepath, library.num_threads)
                library.set_num_threads(1 if limited else own)
            _applied = limited


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
