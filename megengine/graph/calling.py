"""What holds while an executable runs that calls Python: signals wait, and other threads give way soon.

CPython runs their handlers between bytecodes of the main thread, so also within what an executable calls. An exception from
there, such as ``KeyboardInterrupt``, would be lost, and the call taken for done. Without such calls signals wait as well.

A thread that computes in Python keeps the interpreter for five milliseconds when another wants it, as long as many a convolution
takes.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from ..ops.onednn import custom_call

_NAMES = ["INT", "TERM", "ALRM", "HUP", "QUIT", "USR1", "USR2", "VTALRM", "PROF", "CHLD", "WINCH"]
_NUMBERS = [getattr(signal, f"SIG{name}") for name in _NAMES if hasattr(signal, f"SIG{name}")]
_main = threading.main_thread()
SOON = 2e-5  # seconds
_changing = threading.Lock()
_running = 0
_interval = 0.0


def _begin() -> None:
    global _running, _interval
    with _changing:
        _running += 1
        if _running == 1:
            _interval = sys.getswitchinterval()
            sys.setswitchinterval(min(SOON, _interval))


def _end() -> None:
    global _running
    with _changing:
        _running -= 1
        if not _running:
            sys.setswitchinterval(_interval)


class CallingPython:
    """A context in which executables may call Python; in its end the handlers of signals that came meanwhile are called.

    Args:
        needed: whether what runs inside may be an executable that calls Python; else nothing changes.
        overwrites: whether it would lose what it overwrites if it failed.
        holds: whether signals wait in any case.
        elsewhere: whether another thread runs it, where no handler is called.
        done: called when it has run.
    """

    __slots__ = ("_needed", "_overwrites", "_signals", "_done", "_over", "_came", "_handlers")

    def __init__(
        self,
        needed: bool,
        overwrites: bool = False,
        holds: bool = False,
        elsewhere: bool = False,
        done: Callable[[], object] | None = None,
    ) -> None:
        self._needed = needed and custom_call.names_known()
        self._overwrites = self._needed and overwrites
        self._signals = (self._needed or holds) and not elsewhere and threading.current_thread() is _main
        self._done = done
        self._over = False
        self._came: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def __enter__(self) -> None:
        if self._signals:
            self._hold()
        if self._needed:
            _begin()
        if self._overwrites:
            custom_call.overwrite(1)

    def __exit__(self, error: type[BaseException] | None = None, *_: object) -> None:
        if self._done is not None and error is None:
            self._done()
        if self._overwrites:
            custom_call.overwrite(-1)
        if self._needed:
            _end()
        if self._signals:
            self._finish()

    def _hold(self) -> None:
        try:
            for number in _NUMBERS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._note)
        except BaseException:
            self._finish()
            raise

    def _finish(self) -> None:
        handlers = dict(self._handlers)
        self._over = True
        try:
            self._give_back()
        finally:
            _call_all(handlers, self._came)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self._over:
            self._came.append(number)
            return
        handler = self._handlers[number]  # which should be in force again, but another one raised amid that
        self._give_back()
        handler(number, frame)

    def _give_back(self) -> None:
        """Set the handlers as they were, all of them, whichever of them is called and raises amid that."""
        try:
            while self._handlers:
                number = next(reversed(self._handlers))
                signal.signal(number, self._handlers[number])
                del self._handlers[number]
        except BaseException:
            self._give_back()
            raise


def _call_all(handlers: dict[int, Callable[[int, FrameType | None], Any]], numbers: Sequence[int]) -> None:
    """Call the handlers of signals that came, each, also where one before it raises."""
    for k, number in enumerate(numbers):
        try:
            handlers[number](number, sys._getframe(2))
        except BaseException:
            _call_all(handlers, numbers[k + 1 :])
            raise
