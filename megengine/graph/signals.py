"""Signals wait while an executable runs that calls Python.

CPython runs their handlers between bytecodes of the main thread, so also within what an executable calls. An exception from
there, such as ``KeyboardInterrupt``, would be lost, and the call taken for done. Without such calls signals wait as well.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..ops.onednn import custom_call

_NAMES = ["INT", "TERM", "ALRM", "HUP", "QUIT", "USR1", "USR2", "VTALRM", "PROF", "CHLD", "WINCH"]
_NUMBERS = [getattr(signal, f"SIG{name}") for name in _NAMES if hasattr(signal, f"SIG{name}")]
_main = threading.main_thread()


class SignalsWait:
    """A context in whose end the handlers of signals that came meanwhile are called.

    Args:
        interpreted: whether no executable runs inside; then nothing waits.
    """

    __slots__ = ("_needed", "_came", "_handlers")

    def __init__(self, interpreted: bool) -> None:
        self._needed = not interpreted and custom_call.names_known() and threading.current_thread() is _main
        self._came: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def __enter__(self) -> None:
        if not self._needed:
            return
        try:
            for number in _NUMBERS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._note)
        except BaseException:
            self._give_back()
            raise

    def __exit__(self, *_: object) -> None:
        if self._needed:
            handlers = dict(self._handlers)
            self._give_back()
            for number in self._came:
                handlers[number](number, sys._getframe(1))

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)

    def _give_back(self) -> None:
        """Set the handlers as they were, all of them, whichever of them is called and raises amid that."""
        raised = None
        while self._handlers:
            try:
                number = next(reversed(self._handlers))
                signal.signal(number, self._handlers[number])
                del self._handlers[number]
            except BaseException as error:
                raised = error
        if raised is not None:
            raise raised
