"""``mge graph``: the computing graph of a program or of a model, as a page, a picture or text."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import UserError

__all__ = ["add_to"]

DESCRIPTION = """Shows a computing graph. TARGET is a Python program, which is run with the arguments after it and whose graphs
are collected, each once; or a model in a file: a dump, MegEngine's .mge, or .onnx. Without -o a page is written, TARGET.html,
into the folder you are in: it opens in any browser, folds by module, and says what each part costs."""
KINDS = (".html", ".svg", ".dot", ".txt")


def add_to(commands: Any) -> None:
    """Adds ``graph`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "graph",
        help="show the computing graph of a program or a model",
        description=DESCRIPTION,
        usage="mge graph [-o FILE] [--text] [--depth N] TARGET [arguments of the program ...]",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"what to write: {', '.join(KINDS)}")
    parser.add_argument("--text", action="store_true", help="print the operations, one a line, and write no file")
    parser.add_argument("--depth", type=int, metavar="N", help="levels of modules that a .svg or .dot shows")
    parser.add_argument("target", type=Path, metavar="TARGET", help="program.py, or a model")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the program")
    parser.set_defaults(run=partial(run, parser), debug=False)


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    """Writes or prints the graph and returns the exit status."""
    target = arguments.target
    if target.suffix != ".py" and arguments.arguments:  # a model has no arguments: what follows it is for us
        arguments = parser.parse_args([*arguments.arguments, str(target)], arguments)
        if arguments.target != target:
            raise UserError(f"{target} is a model, which takes no arguments: {arguments.target}", exit_code=2)
    output = arguments.output
    if output is not None and output.suffix.lower() not in KINDS:
        raise UserError(f"-o {output} ends in none of {', '.join(KINDS)}", exit_code=2)
    shown = _shown(target, arguments.arguments)
    if arguments.text:
        for picture in shown._pictures():
            print(f"{picture.title}: {picture.summary()}\n{picture}\n")
        return 0
    print(repr(shown))
    try:
        path = shown.save(output or Path(f"{target.stem}.html"), arguments.depth)
    except (OSError, RuntimeError) as error:
        raise UserError(str(error)) from error
    print(f"written to {path}")
    return 0


def _shown(target: Path, arguments: list[str]) -> Any:
    if target.suffix == ".py":
        from .programs import watched

        return watched(target, arguments)
    from .models import load

    return load(target).picture()
