"""The environment of an old program: what ``mge run`` starts, and what each Python process of it begins with."""

from __future__ import annotations

import atexit
import os
import sys

from . import hook, table, uses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["enter"]

HERE = os.path.dirname(os.path.abspath(__file__))


def enter() -> None:
    """Gives this process, whose program has not started yet, its old names; the first one reports at its end."""
    hook.install(table.load())
    atexit.register(uses.report)
    sys.excepthook = show_error


def show_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints an uncaught error as Python does, without the lines of this package."""
    cleaned: set[int] = set()
    pending = [error]
    while pending:
        one = pending.pop()
        if id(one) not in cleaned:
            cleaned.add(id(one))
            one.__traceback__ = _without_ours(one.__traceback__)
            pending += [e for e in (one.__cause__, one.__context__) if e is not None]
    sys.__excepthook__(kind, error, error.__traceback__)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    if trace is None:
        return None
    rest = _without_ours(trace.tb_next)
    if os.path.dirname(trace.tb_frame.f_code.co_filename) == HERE:
        return rest
    trace.tb_next = rest
    return trace
