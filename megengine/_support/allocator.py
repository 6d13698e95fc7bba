"""The C library's allocator: glibc's keeps what is freed for the next step."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from .switches import switched_off

__all__ = ["keep_memory", "of_glibc"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_KEPT_AT_MOST = (1 << 31) - 1


def keep_memory() -> None:
    """Have glibc keep freed memory, up to 2 GiB, for the next step instead of giving it back to the system.

    By default every large buffer is mapped anew, and its pages cleared, each time a program runs: for results of some megabytes
    that takes longer than computing them. In the arenas of other threads than the first, XLA's among them, large buffers are
    mapped whatever is set, so all threads share one, which has to be said before JAX and NumPy are loaded.
    ``MEGENGINE_KEEP_MEMORY=0`` leaves the allocator alone.
    """
    mallopt = of_glibc("mallopt")
    if mallopt is not None and not switched_off("MEGENGINE_KEEP_MEMORY"):
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_AT_MOST)


def of_glibc(function: str) -> Any:
    """A function of the allocator; None where there is another C library."""
    return getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
