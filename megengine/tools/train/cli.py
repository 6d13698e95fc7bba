"""The words of ``mge train``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from megengine.logger import set_log_level

from ..errors import UserError
from .options import INITS, MODELS, OPTIMIZERS, SCHEDULES, TrainOptions

__all__ = ["add_to"]

DESCRIPTION = """\
Trains a classifier on Fashion-MNIST; with no options, the tutorial's network: two linear layers with a
relu between them, SGD, five epochs. Leaves a run folder with checkpoint.mge, metrics.csv, steps.csv,
TensorBoard events and report.html."""

EXAMPLES = """\
examples:
  mge train                                 the tutorial's network
  mge train --model linear                  without the hidden layer
  mge train --hidden 512 --optimizer momentum --epochs 20
  mge train --resume runs/NAME --epochs 10  go on with a run
"""

# What may be changed when a run goes on; everything else is fixed by its checkpoint.
RESUMABLE = ("epochs", "lr", "device", "data")


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        message = f"{text!r} is not a list of sizes such as 256 or 300,100"
        raise argparse.ArgumentTypeError(message) from None


def add_to(commands: Any) -> None:
    """Adds ``train`` to the subcommands of ``mge``."""
    parser = commands.add_parser(
        "train",
        help="train a classifier on Fashion-MNIST",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Absent options stay absent, so that --resume can tell what was asked for.
    group = parser.add_argument_group("network and optimization", argument_default=argparse.SUPPRESS)
    group.add_argument("--model", choices=MODELS, help="mlp (default) or linear")
    group.add_argument("--hidden", type=_sizes, metavar="N[,N...]", help="hidden layer sizes (256)")
    group.add_argument("--init", choices=INITS, help="initial parameters: default (random) or zero")
    group.add_argument("--epochs", type=int, metavar="N", help="passes over the training images (5)")
    group.add_argument("--lr", type=float, metavar="X", help="learning rate (0.01)")
    group.add_argument("--schedule", choices=SCHEDULES, help="learning rate: constant (default) or cosine")
    group.add_argument("--batch-size", type=int, metavar="N", help="images a step (64)")
    group.add_argument("--optimizer", choices=OPTIMIZERS, help="how parameters are updated (sgd)")
    group.add_argument("--momentum", type=float, metavar="X", help="for sgd (0) and momentum (0.9)")
    group.add_argument("--weight-decay", type=float, metavar="X", help="L2 factor (0)")
    group.add_argument("--seed", type=int, metavar="N", help="parameters and image order (0)")
    group = parser.add_argument_group("where", argument_default=argparse.SUPPRESS)
    group.add_argument("--device", metavar="NAME", help="xpux (default: the best there is), cpu0, gpu0, ...")
    group.add_argument("--data", metavar="PATH", help="folder with the data set's four files")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--out", metavar="DIR", help="run folder to make (runs/TIME-MODEL)")
    place.add_argument("--resume", metavar="RUN", help="run folder, or its checkpoint, to go on with")
    parser.add_argument("--quiet", action="store_true", help="print the epoch lines only")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=_run)


@contextmanager
def _log_level(level: str) -> Iterator[None]:
    before = set_log_level(level)
    try:
        yield
    finally:
        set_log_level(before)


def _run(arguments: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(arguments).items() if name in TrainOptions.__annotations__}
    # Options are checked before the framework is imported, which takes a second.
    if arguments.resume is None:
        if given.get("model") == "linear" and "hidden" in given:
            raise UserError("--hidden has no meaning for --model linear, which has no hidden layer", exit_code=2)
        options = TrainOptions(**given).check()
        from .run import start_run

        with _log_level("INFO" if arguments.debug else "WARNING"):
            return start_run(options, out=arguments.out, quiet=arguments.quiet)
    fixed = sorted(set(given) - set(RESUMABLE))
    if fixed:
        raise UserError(
            f"--{fixed[0].replace('_', '-')} cannot be changed by --resume: the checkpoint fixes it",
            f"with --resume you may give {', '.join('--' + name for name in RESUMABLE)}",
            exit_code=2,
        )
    from .run import resume_run

    with _log_level("INFO" if arguments.debug else "WARNING"):
        return resume_run(arguments.resume, changes=given, quiet=arguments.quiet)
