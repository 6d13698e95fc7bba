"""What compiling a training step takes, against hand-written JAX.

    python -m benchmarks.compile_seconds [mlp transformer resnet] [--rounds N]

prints the table; ``python -m benchmarks.run compile_seconds`` writes the section of RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator

from .contenders import PROGRAMS, STEADY, Setup, run
from .results import HEADER, Row, Section, compared

ROUNDS = 3
TASKS = {
    "mlp": "perceptron 1024-2048-2048-1000",
    "transformer": "transformer, 6 layers of width 256",
    "resnet": "ResNet-18 of 64 x 64",
}
ABOUT = (
    "Forward, backward, Adam: the first step in a process that has compiled nothing, without a cache, with "
    "`MEGENGINE_TIER=compiled`, recording and tracing included, against one hand-written `jax.jit`. By default a process of its "
    "own compiles in the background, while the interpreter runs the program; the CPU time is what that costs."
)


def measure(setup: Setup, names: Iterable[str] = (), rounds: int = ROUNDS) -> Section:
    """Every network's figures."""
    return Section("", ABOUT, list(rows(names or TASKS, setup.rounds(rounds))))


def rows(names: Iterable[str], rounds: int) -> Iterator[Row]:
    """The lines, as they are measured."""
    for task in names:
        taken: dict[str, list[list[float]]] = {"megengine": [], "jax": []}
        for _ in range(rounds):
            for who, found in taken.items():
                command = [sys.executable, PROGRAMS / "first_compile.py", who, task]
                output = run(command, who == "megengine", MEGENGINE_CACHE="0", **STEADY)
                found.append(json.loads(output.splitlines()[-1]))
        for number, what in enumerate(("first step", "first step, CPU time")):
            here, there = ([one[number] for one in found] for found in taken.values())
            yield compared(f"{TASKS[task]}: {what}", "hand-written jax.jit", here, there, "s")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*TASKS, []], help="default all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    print(HEADER, flush=True)
    for row in rows(given.names or TASKS, given.rounds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
