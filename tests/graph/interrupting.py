"""SIGINT, or another signal, at each place where the interpreter looks at signals while code of the package runs."""

from __future__ import annotations

import contextlib
import ctypes
import dis
import os
import signal
import sys
from collections.abc import Callable
from functools import cache, partial
from types import CodeType, FrameType
from typing import Any

import megengine
from megengine._support.collecting import uncollected

_PACKAGE = os.path.join(os.path.dirname(megengine.__file__), "")
# The instructions that look at signals once they have run.
_LOOKING = ("CALL", "CALL_FUNCTION_EX", "CALL_KW", "RESUME", "JUMP_BACKWARD", "POP_JUMP_BACKWARD_IF_TRUE",
            "POP_JUMP_BACKWARD_IF_FALSE", "POP_JUMP_BACKWARD_IF_NONE", "POP_JUMP_BACKWARD_IF_NOT_NONE")  # fmt: skip


@cache
def _sending(number: int) -> Any:
    """``-_sending(number)`` has the signal come; a slot is called, so that no instruction of this file looks at it."""
    return type("Sending", (), {"__neg__": partial(ctypes.pythonapi.PyErr_SetInterruptEx, number)})()


# By the number of a code, which is kept with them: to find a code itself, Python looks at all that is in it each time.
_known: dict[int, tuple[CodeType, frozenset[int] | None]] = {}


def _places(code: CodeType) -> frozenset[int] | None:
    """Where these instructions are; None for what is not followed."""
    if (found := _known.get(id(code))) is not None:
        return found[1]
    places = None
    if code.co_filename.startswith(_PACKAGE) or code.co_filename == contextlib.__file__:
        places = frozenset(i.offset for i in dis.get_instructions(code) if i.opname in _LOOKING)
    _known[id(code)] = code, places
    return places


def interrupted_at(number: int, body: Callable[[], object], by: int = signal.SIGINT) -> tuple[bool, str]:
    """Run ``body()`` with a signal at one of these places; returns whether it was interrupted, and where that was.

    The signal's handler has to raise ``KeyboardInterrupt``.
    Garbage is not collected meanwhile: CPython drops what a destructor raises, and its moments differ.
    """
    seen, where = 0, ""
    sending = _sending(by)

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        if (places := _places(frame.f_code)) is None:
            return None

        def follow(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal seen, where
            if event == "opcode":
                if frame.f_lasti in places:
                    seen += 1
                    if seen == number:
                        where = f"{frame.f_code.co_filename.removeprefix(_PACKAGE)}:{frame.f_lineno}"
                        sys.settrace(None)
                        -sending
                        return None
            elif event == "line":  # here rather than at the call, which Python 3.13 asks for
                frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return follow

        return follow

    before = sys.gettrace()
    with uncollected():
        try:
            try:
                sys.settrace(enter)
                body()
            finally:
                sys.settrace(before)
        except KeyboardInterrupt:
            return True, where
    return False, where
