"""The program of a rank: it joins the others, runs the function, and leaves its result where the launcher finds it."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Any, NamedTuple, NoReturn

from .._support.parent import end_with_parent
from ..graph.flushing import full_sync
from .group import all_end, forget, init_process_group, is_distributed
from .shipping import dump, load
from .waiting import hangs, keep_notes


class Orders(NamedTuple):
    """What a rank is told before it joins.

    Attributes:
        group: the arguments of :func:`init_process_group`.
        argv: the program's command line.
    """

    group: tuple[Any, ...]
    argv: list[str]


def main(orders: int, work: int, result: int, note: int, failed: int, pipe: int) -> None:
    """Runs a rank.

    Args:
        orders: the descriptor that :class:`Orders` are read from.
        work: the one of the function and its arguments.
        result: the one that ``(True, what it returned)`` or ``(False, what it raised)`` is written to.
        note: the one that the last call that takes other ranks is written to.
        failed: the one that the exit status is written to, one byte, if it is not 0.
        pipe: the launcher holds its other end; this process ends when that closes.
    """
    end_with_parent(pipe)
    keep_notes(note)
    told: Orders = load(orders)
    sys.argv[:] = told.argv
    try:
        init_process_group(*told.group)
        function, args, kwargs = load(work)
        returned = function(*args, **kwargs)
        full_sync()
        dump((True, returned), result)
        returned_all = all_end("in a collective" if hangs() else "")
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else int(end.code is not None), failed)
    except BaseException as error:
        print(f"in the process of rank {told.group[3]}:", file=sys.stderr)
        traceback.print_exc()
        _tell(error, result)
        _leave(1, failed)
    if not returned_all:
        _leave(0, failed)
    forget()


def _tell(error: BaseException, result: int) -> None:
    """Leave an error for the launcher, or its words where it cannot be pickled."""
    try:
        dump((False, error), result)
    except Exception:
        dump((False, RuntimeError(f"{type(error).__name__}: {error}")), result)


def _leave(code: int, failed: int) -> NoReturn:
    """End without waiting for the others, who may wait for this one.

    With status 0 at once; else the launcher is told, which ends all when the others have said what they have to say: they would
    be ended by the end of rank 0, which has JAX's coordinator.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if code % 256 == 0:
        if is_distributed():
            all_end("exited", wait=False)
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(failed, bytes([code % 256]))
    while True:
        signal.pause()
