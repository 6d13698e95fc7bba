"""How many threads NumPy's products take: threads of BLAS that wait for each other on a busy machine wait for long."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

LOOKS_EVERY = 1.0  # seconds
_changing = threading.Lock()
_reasons: set[str] = set()  # for one thread
_limits: threadpool_limits | None = None
_looked = 0.0


def _set(reason: str, holds: bool) -> None:
    """Have BLAS use one thread as long as there is a reason, and then again as many as before."""
    global _limits
    with _changing:
        (_reasons.add if holds else _reasons.discard)(reason)
        if _reasons and _limits is None:
            _limits = threadpool_limits(1, user_api="blas")
        elif not _reasons and _limits is not None:
            _limits.restore_original_limits()
            _limits = None


@contextmanager
def single_thread(reason: str) -> Iterator[None]:
    """Products take one thread inside the block, in all threads of the process."""
    _set(reason, True)
    try:
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
