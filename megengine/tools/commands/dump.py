"""``mge dump info``: what a model in a file takes, gives, holds and costs."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

__all__ = ["add_to"]

DESCRIPTION = "Looks into a model in a file: a dump of trace.dump or Network.dump, MegEngine's .mge, or .onnx."


def add_to(commands: Any) -> None:
    """Adds ``dump`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser("dump", help="look into a model", description=DESCRIPTION)
    inner = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    info: argparse.ArgumentParser = inner.add_parser(
        "info", help="inputs, outputs, operators, weights, costs", description=DESCRIPTION
    )
    info.add_argument("file", type=Path, help="the model")
    info.add_argument("--weights", action="store_true", help="list every weight")
    info.set_defaults(run=run, debug=False)


def run(arguments: argparse.Namespace) -> int:
    """Prints what is known and returns the exit status."""
    from megengine.graph.pictures.nodes import is_equation
    from megengine.graph.pictures.tables import quantity

    from .models import load

    model = load(arguments.file)
    picture = model.picture()
    function = picture.function
    print(f"{arguments.file}, {arguments.file.stat().st_size:,} bytes")
    for key, value in model.facts().items():
        print(f"  {key}: {value}")
    for title, ports in (("inputs", model.inputs), ("outputs", model.outputs)):
        print(title)
        for port in ports:
            print(f"  {port}")
    counts = Counter(node["op"] for node in picture.nodes if is_equation(node))
    print(f"operators: {counts.total()}, {quantity(picture.total('flops'))}FLOP")
    print("  " + ", ".join(f"{op} {n}" for op, n in counts.most_common()))
    sizes = [var.aval for var in function.constants]
    size = sum(aval.size * aval.dtype.itemsize for aval in sizes)
    print(f"weights: {len(sizes)}, {sum(aval.size for aval in sizes):,} numbers, {quantity(size)}B")
    if arguments.weights:
        for var in function.constants:
            print(f"  {var.name or '(no name)'}: {var.aval!r}")
    return 0
