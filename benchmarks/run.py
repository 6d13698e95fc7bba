"""Run benchmarks and write what they measured into RESULTS.md.

    python -m benchmarks.run [names] [--megengine PYTHON] [--program FILE]

Contenders that are not there are left out. A quick run shows its figures and writes nothing.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path

from . import results
from .contenders import Setup
from .machine import Quiet, describe

# name -> heading of its section, in the order of the file
BENCHMARKS = {
    "tutorial": "The tutorial's program",
    "step": "One training step",
    "record": "Recording and cutting",
    "compilations": "Compilations",
    "compile_seconds": "Compiling a step",
    "memory": "Memory",
    "startup": "Import",
    "random_draws": "Random numbers",
    "data_loader": "Data loader",
    "data_workers": "Data loader with workers",
    "checkpoint": "Checkpoints",
    "models": "Models",
    "convolutional": "Convolutional networks",
    "shipping": "Traced steps, dumps, starts from a file",
    "quantized": "Networks of 8-bit integers",
    "cold": "Cold start and changing shapes",
    "op_sweep": "Ops one by one",
}
RESULTS = Path(__file__).resolve().parent / "RESULTS.md"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(BENCHMARKS)}; default all")
    parser.add_argument(
        "--megengine",
        metavar="PYTHON",
        default=os.environ.get("MEGENGINE_PYTHON"),
        help="interpreter with MegEngine 1.13 ($MEGENGINE_PYTHON)",
    )
    parser.add_argument(
        "--torch", metavar="PYTHON", help="interpreter with PyTorch; default this one, if it has PyTorch"
    )
    parser.add_argument(
        "--program",
        metavar="FILE",
        type=Path,
        default=os.environ.get("MEGENGINE_TUTORIAL"),
        help="the tutorial's program, needed by tutorial and compilations ($MEGENGINE_TUTORIAL)",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, nothing written")
    parser.add_argument("--output", metavar="FILE", type=Path, default=RESULTS, help="default benchmarks/RESULTS.md")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for option in ("megengine", "torch"):
        python = getattr(arguments, option)
        if python and not shutil.which(python):
            parser.error(f"--{option} {python}: no such interpreter")
    if arguments.program and not Path(arguments.program).is_file():
        parser.error(f"--program {arguments.program}: no such file")
    return arguments


def setup_of(arguments: argparse.Namespace) -> Setup:
    """What the benchmarks may use on this machine."""
    here = sys.executable if importlib.util.find_spec("torch") else None
    program = Path(arguments.program).resolve() if arguments.program else None
    return Setup(arguments.megengine or None, arguments.torch or here, program, arguments.quick)


def command(name: str, setup: Setup) -> str:
    """How to measure this again; interpreters and files by what they are, not by where they lie here."""
    words = ["python -m benchmarks.run", name]
    if setup.megengine:
        words.append("--megengine PYTHON")
    if setup.program and name in ("tutorial", "compilations", "cold"):
        words.append(f"--program {setup.program.name}")
    return f"Command: `{' '.join(words)}`."


def measure(name: str, setup: Setup) -> results.Section | None:
    """Run one benchmark; None where what it needs is not there."""
    module = importlib.import_module(f".{name}", __package__)
    if name in ("tutorial", "compilations") and setup.program is None:
        print(f"{name}: left out, it needs --program", file=sys.stderr)
        return None
    with Quiet() as quiet:
        section: results.Section = module.measure(setup)
    section.title = BENCHMARKS[name]
    note = quiet.note() if section.timed else None
    section.context = [command(name, setup), describe(setup), *([note] if note else [])]
    return section


def main(argv: list[str] | None = None) -> None:
    """Run the benchmarks named on the command line."""
    arguments = parse(argv)
    setup = setup_of(arguments)
    if setup.missing():
        print(f"left out, not installed: {', '.join(setup.missing())}", file=sys.stderr)
    load = os.getloadavg()[0]
    if load > 1.5:
        print(f"load average {load:.1f}: something else is running, the figures will be off", file=sys.stderr)
    for name in arguments.names or BENCHMARKS:
        section = measure(name, setup)
        if section is None:
            continue
        print(f"\n{section.title}\n\n{section}", flush=True)
        if not arguments.quick:
            text = arguments.output.read_text(encoding="utf-8") if arguments.output.exists() else ""
            results.write(arguments.output, results.refresh(text, section, BENCHMARKS.values()))


if __name__ == "__main__":
    main()
