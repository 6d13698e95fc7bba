"""Collectives that were recorded begin soon, whatever the program does next: others may wait in them.

A graph runs when a value is needed. When a program records a collective and then reads a file or waits for a queue, none may be
for long. A thread notices, and interrupts what the main thread does by a signal, in whose handler the graph runs: nothing else
runs there meanwhile. The handler leaves it for later where it has come amid the engine's own work, or that of what it calls.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from types import FrameType

from ..graph.flushing import begin_recorded
from ..graph.recorder import Recorder, thread

__all__ = ["begun", "can_prompt", "soon", "start", "stop"]

log = logging.getLogger("megengine.distributed")
DELAY = 0.1  # seconds in which nothing was recorded
SIGNAL = getattr(signal, "SIGURG", None)  # nobody is disturbed by it who does not ask for it
_ENGINE = {__name__.partition(".")[0], "jax", "jaxlib", "numpy"}
_recorded = threading.Condition()
_pending: Recorder | None = None
_ready = False


def start() -> None:
    """Begin to look after the main thread, which calls this."""
    global _ready
    if SIGNAL is None or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(SIGNAL) not in (signal.SIG_DFL, signal.SIG_IGN, _handle):
        return  # the program's own: then nothing is left pending
    signal.signal(SIGNAL, _handle)
    _ready = True
    threading.Thread(target=_watch, name="megengine-prompts", daemon=True).start()


def stop() -> None:
    """Look after nothing any more."""
    global _ready
    _ready = False
    with _recorded:
        _recorded.notify()


def can_prompt() -> bool:
    """Whether this thread may leave a collective pending."""
    return _ready and threading.current_thread() is threading.main_thread()


def soon(recorder: Recorder) -> None:
    """A collective was recorded."""
    global _pending
    if recorder is not _pending:
        with _recorded:
            _pending = recorder
            _recorded.notify()


def begun() -> None:
    """What was recorded runs now."""
    global _pending
    _pending = None


def _watch() -> None:
    while _ready:
        with _recorded:
            _recorded.wait_for(lambda: _pending is not None or not _ready)
        known, depth = _pending, -1
        while known is not None and known is _pending and _ready:
            before, depth = depth, known.node.depth
            if depth == before and SIGNAL is not None:
                signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)
            time.sleep(DELAY)
        del known


def _handle(number: int, frame: FrameType | None) -> None:
    recorder = thread.recorder
    if recorder.capture is not None or thread.undo is not None or not recorder.is_whole() or not _amid_users_code(frame):
        return
    try:
        begin_recorded()
    except Exception as error:  # whoever reads a value of the graph is told
        log.warning("what had been recorded was run, since nothing followed for %g s, and failed: %s", DELAY, error)
    begun()


def _amid_users_code(frame: FrameType | None) -> bool:
    """Whether the user's code runs, be it that it has called Python's library, and the engine does no more than call it."""
    users = False
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if (package in _ENGINE and not users) or package == "jax":
            return False
        users = users or package not in sys.stdlib_module_names
        frame = frame.f_back
    return users
