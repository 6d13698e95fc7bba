"""``mge run``: runs an old program in an environment that has what today's libraries have taken away."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import UserError
from .own import ALSO
from .uses import RUN, new_run

__all__ = ["add_to", "command", "environment"]

CHILD = Path(__file__).resolve().parent / "child"
DESCRIPTION = """Runs a program as `python program.py ...` does, with the names that today's NumPy, Pillow, OpenCV, PyYAML,
SciPy and Python have taken away back in their old meaning, for the program's own code alone. At its end, standard error says
which lines used what, and what to write instead. The exit status is the program's."""


def add_to(commands: Any) -> None:
    """Adds ``run`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run an old program as it is",
        description=DESCRIPTION,
        usage="mge run [--also PACKAGE] (program.py | -m module) [arguments of the program ...]",
    )
    parser.add_argument(
        "--also",
        metavar="PACKAGE",
        action="append",
        default=[],
        help="count an installed package as part of the program (may be given several times)",
    )
    parser.add_argument(
        "-m", dest="module", metavar="MODULE", nargs=argparse.REMAINDER, help="run a module, as python -m does"
    )
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the program and its arguments")
    parser.set_defaults(run=run, debug=False)


def command(arguments: argparse.Namespace) -> list[str]:
    """The words of the Python process that runs the program.

    Raises:
        UserError: if no program is named, or its file is not there.
    """
    if arguments.module is not None:
        if not arguments.module:
            raise UserError("-m needs the name of a module", "for instance: mge run -m package.train", exit_code=2)
        return [sys.executable, "-m", *arguments.module]
    words = arguments.program
    if not words:
        raise UserError("no program was named", "for instance: mge run train.py --epochs 2", exit_code=2)
    if not Path(words[0]).exists():
        raise UserError(f"there is no file {words[0]!r}", "a module is run with -m", exit_code=2)
    return [sys.executable, *words]


def environment(also: list[str]) -> dict[str, str]:
    """The variables under which every Python process begins with the old names."""
    path = [str(CHILD), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), RUN: new_run(), ALSO: ",".join(also)}


def run(arguments: argparse.Namespace) -> int:
    """Becomes the program: same process, same terminal, same signals."""
    words = command(arguments)
    sys.stdout.flush()
    os.execve(words[0], words, environment(arguments.also))
