"""The ``mge`` command."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from .check import cli as check_cli
from .commands import convert, doctor, dump, graph, infer, profile
from .compat import launch
from .errors import UserError
from .train import cli as train_cli

__all__ = ["main"]

INTERRUPTED = 130  # 128 + SIGINT, what a shell reports for Ctrl-C
UNREAD = 141  # 128 + SIGPIPE, what a shell reports for a program whose reader has gone


def build_parser() -> argparse.ArgumentParser:
    """Makes the parser of ``mge`` with every subcommand."""
    parser = argparse.ArgumentParser(
        prog="mge",
        description="Train networks with MegEngine on XLA; run and check old programs; look at graphs; run and convert models.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    train_cli.add_to(commands)
    launch.add_to(commands)
    check_cli.add_to(commands)
    for command in (graph, profile, dump, infer, convert, doctor):
        command.add_to(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs ``mge`` with the given words and returns its exit status.

    A mistake of the caller's ends in one message on standard error; ``--debug`` adds the traceback.

    Args:
        argv: the words after ``mge``; those of the process by default.

    Returns:
        0 on success, 2 for bad options, 130 after Ctrl-C, 141 if what reads its output has gone, 1 for everything else.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        from megengine.version import __release__

        print(f"megengine-xla {__release__}")
        return 0
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        return int(arguments.run(arguments))
    except UserError as error:
        if arguments.debug:
            traceback.print_exc()
        else:
            print(f"mge: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("mge: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at its end
        return UNREAD
    except Exception as error:
        if arguments.debug:
            traceback.print_exc()
        else:
            summary = f"{type(error).__name__}: {error}"
            print(f"mge: unexpected error: {summary}\n  --debug shows where it came from", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
