"""Threads that still compute when the program ends: they are ended first.

CPython ends a daemon thread when it asks for the interpreter and that is gone. Where the thread comes from compiled code, of C++,
this ends the process by SIGABRT.
"""

from __future__ import annotations

import atexit
import ctypes
import sys
import threading
import time
from types import FrameType
from typing import Any

from .recorder import computing

PATIENCE = 5.0  # seconds, for a program that runs long
GLANCES = 5  # in a row at which a thread that waits for something else, and might for ever, does not compute
_OURS = (__name__.partition(".")[0], "jax", "jaxlib")


def end_threads() -> None:
    """Have other threads that have computed end by SystemExit, and wait for those that are at it now."""
    before, deadline = sys.unraisablehook, time.monotonic() + PATIENCE
    here = threading.current_thread()
    idle = {thread: 0 for thread in list(computing) if thread is not here and thread.is_alive()}

    def hook(found: Any) -> None:
        if found.exc_type is not SystemExit or threading.current_thread() not in idle:
            before(found)

    sys.unraisablehook = hook  # where the end comes to one in a callback or destructor CPython drops it; it comes again
    try:
        while time.monotonic() < deadline:
            waited_for = [t for t, glances in idle.items() if glances < GLANCES and t.is_alive()]
            if not waited_for:
                break
            for thread in waited_for:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
                )
            time.sleep(0.005)
            frames = sys._current_frames()
            for thread in waited_for:
                idle[thread] = 0 if _is_at_work(frames.get(thread.ident or 0)) else idle[thread] + 1
    finally:
        sys.unraisablehook = before


def _is_at_work(frame: FrameType | None) -> bool:
    """Whether a stack leads through this package or JAX."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
            return True
        frame = frame.f_back
    return False


atexit.register(end_threads)
