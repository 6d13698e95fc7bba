"""Running a user's program inside of a command, with its own arguments, while its graphs are watched."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from megengine import graph

from ..errors import UserError


def watched(program: Path, arguments: Sequence[str]) -> graph.Watch:
    """Run a program as ``python program.py ...`` does, and keep one graph of each program of the engine.

    An error of the program, or Ctrl-C, ends it; what ran until then is kept.

    Raises:
        UserError: there is no such file, or nothing of it ran on tensors.
    """
    if not program.is_file():
        raise UserError(f"there is no file {str(program)!r}", exit_code=2)
    with graph.watch(once=True) as seen, _as_main(program, arguments):
        _run(program)
    if not len(seen):
        raise UserError(
            f"{program.name} computed nothing with tensors in its main thread, so there is no graph to show"
        )
    return seen


def _run(program: Path) -> None:
    try:
        runpy.run_path(str(program), run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            print(f"mge: {program.name} ended with status {end.code}; what ran until then:", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\nmge: {program.name} was interrupted; what ran until then:", file=sys.stderr)
    except Exception as error:
        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename != str(program):
            own = own.tb_next
        traceback.print_exception(type(error), error, own)
        print(f"mge: {program.name} failed; what ran until then:", file=sys.stderr)


@contextmanager
def _as_main(program: Path, arguments: Sequence[str]) -> Iterator[None]:
    """What the program finds in ``sys``."""
    argv, path = sys.argv, sys.path[:]
    sys.argv = [str(program), *arguments]
    sys.path.insert(0, str(program.resolve().parent))
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path
