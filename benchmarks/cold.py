"""Programs from their start: nothing compiled before, whole trainings of ten steps, shapes that change.

    python -m benchmarks.cold [names] [--megengine PYTHON] [--torch PYTHON] [--rounds N] [--hundred] [--limit SECONDS]

measures some of the programs and prints the table; ``python -m benchmarks.run cold`` measures all and writes it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .contenders import PROGRAMS, Setup, environment, run
from .results import HEADER, Row, Section, alone, compared

ROUNDS = 3
LIMIT = 20.0  # seconds
OURS, MEGENGINE, PYTORCH = "here", "MegEngine", "PyTorch"
WRONG = ("lstm", MEGENGINE)  # gradients that vary from run to run, until the loss is no number
ABOUT = (
    "Every program in a fresh process with an empty compile cache. The clock starts after the imports: *build + first "
    "step* is the time until the model is made and until the first step has given a number, and *10 steps* has the "
    "same start. CPU time is that of the process and of those that it starts, over all steps; memory is the most that "
    "the process had. Beforehand the contenders do the same program in a small size from the same weights, and their "
    "losses in the first steps agree to 0.2 % (with an LSTM, whose gradients are wrong in MegEngine on the CPU, only "
    f"the first is compared). Once a contender has worked for {LIMIT:.0f} s it begins no further step: those left are "
    "taken to last as the median of those after its first, and the line says from how many that is."
)


@dataclass(frozen=True)
class Program:
    """What is measured of a program.

    Attributes:
        what: what it is, for the table.
        steps: how many it does.
        marks: the numbers of steps after which the time is told, besides the first.
        first: the most of PyTorch's time that the first step should take.
        many: the most of MegEngine's time that the steps told should take.
        cpu: the most of PyTorch's CPU time.
        memory: the most memory, in MiB.
        period: how many shapes there are, after which all have been seen.
        hundred: the most of PyTorch's time that a hundred steps should take.
        torch: whether there is a PyTorch program.
    """

    what: str
    steps: int = 10
    marks: tuple[int, ...] = (10,)
    first: float | None = None
    many: float = 1.0
    cpu: float | None = None
    memory: float | None = None
    period: int | None = None
    hundred: float | None = 1.0
    torch: bool = True


PROGRAMS_OF_COLD = {
    "transformer": Program("transformer, 6 layers of width 256, training", first=3),
    "resnet50": Program("ResNet-50, batch 2 of 193 x 193, training", first=3, hundred=None),
    "convnext": Program("ConvNeXt-T, batch 2 of 64 x 64, training", first=3, hundred=None),
    "flow_forward": Program("optical flow, 64 x 64", torch=False),
    "flow": Program("optical flow, 64 x 64, training", torch=False),
    "detector": Program(
        "detector, batch 2 of 128 x 128, training", 120, (10, 120), cpu=1.5, memory=600, hundred=None
    ),
    "vit": Program("vision transformer with windows, 256 x 256", torch=False),
    "text": Program("transformer, sentences of 10 to 80 words, training", 120, (10, 120), cpu=1.5, memory=600),
    "lstm": Program("LSTM, sentences of 5 to 60 words, training", 120, (10, 120), many=1.3, cpu=1.5, memory=600),
    "decoder": Program(
        "greedy decoding of 40 tokens with a cache", 120, (10, 40, 120), many=1.3, cpu=1.5, memory=600, period=40
    ),
    "policy": Program("policy gradient, an episode a step", 120, (10, 120), many=1.3, cpu=1.5, memory=600),
    "batches": Program("batches of 1 to 60 images, training", 120, (10, 120), many=1.3, period=60),
    "turns": Program("a loop of 50 to 89 turns", 80, (10, 80), many=2, period=40),
    "chain": Program("300 values of a chain, all kept", many=2),
    "diffusion": Program("diffusion, 50 denoising steps a sample", 3, (3,), torch=False),
}


def measure(
    setup: Setup, names: Iterable[str] = (), rounds: int = ROUNDS, hundred: bool = True, limit: float = LIMIT
) -> Section:
    """Seconds and memory of every program and contender."""
    rows = list(lines(setup, names, setup.rounds(rounds), hundred, limit))
    missing = setup.missing()
    notes = [f"Not measured: {' and '.join(missing)}."] if missing else []
    return Section("", ABOUT, rows, [*notes, f"Rounds: {setup.rounds(rounds)}."])


def lines(
    setup: Setup, names: Iterable[str], rounds: int, hundred: bool, limit: float = math.inf
) -> Iterator[Row]:
    """The table, as it comes to be; of ``limit`` see :func:`in_turns`."""
    for name in names or PROGRAMS_OF_COLD:
        program = PROGRAMS_OF_COLD[name]
        contenders = contenders_of(setup, program)
        check(name, contenders)
        steps = max(program.steps, 100 if hundred else 0)
        marks = (*program.marks, *((100,) if hundred else ()))
        found = in_turns(name, contenders, rounds, steps, limit)
        yield from rows_of(replace(program, marks=marks), found, steps)
    if setup.program:
        yield from whole_process(setup, rounds)


def contenders_of(setup: Setup, program: Program) -> dict[str, list[str]]:
    """Interpreter and framework of each."""
    found = {OURS: [sys.executable, "megengine"]}
    if setup.megengine:
        found[MEGENGINE] = [setup.megengine, "megengine"]
    if setup.torch and program.torch:
        found[PYTORCH] = [setup.torch, "torch"]
    return found


def start(who: str, contender: Sequence[str], *args: object) -> dict[str, Any]:
    """Run a program in a fresh process without anything compiled before."""
    python, framework = contender
    with tempfile.TemporaryDirectory() as cache:
        command = [python, PROGRAMS / "cold_start.py", framework, *map(str, args)]
        output = run(command, who == OURS, MEGENGINE_CACHE_DIR=cache)
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def check(name: str, contenders: dict[str, list[str]]) -> None:
    """Contenders must compute the same, in a small size from the same weights."""
    if len(contenders) == 1:
        return
    steps = 1 if name == "diffusion" else 3
    values = {who: start(who, contender, name, steps, "same")["values"] for who, contender in contenders.items()}
    for who, found in values.items():
        count = 1 if (name, who) == WRONG else steps
        np.testing.assert_allclose(found[:count], values[OURS][:count], rtol=2e-3, err_msg=f"{name}: {who}")


def in_turns(
    name: str, contenders: dict[str, list[str]], rounds: int, steps: int, limit: float = math.inf
) -> dict[str, list[dict[str, Any]]]:
    """What each contender's process found in each round; every other round goes in reverse order.

    A contender begins no step after so many seconds, once it has done two; see :func:`ended`.
    """
    found: dict[str, list[dict[str, Any]]] = {who: [] for who in contenders}
    for number in range(rounds):
        for who in list(contenders)[:: -1 if number % 2 else 1]:
            found[who].append(start(who, contenders[who], name, steps, "own", limit))
            if (name, who) != WRONG and not np.all(np.isfinite(found[who][-1]["values"])):
                raise RuntimeError(f"{name}: {who} gave {found[who][-1]['values']}")
    return found


def rows_of(program: Program, found: dict[str, list[dict[str, Any]]], steps: int) -> list[Row]:
    """The lines of one program."""
    others = [who for who in found if who != OURS] or [None]
    rows = [row for other in others for row in rows_against(program, found, other, steps)]
    ours = found[OURS]
    if program.memory is not None:
        rows.append(alone(f"{program.what}: peak memory", median(ours, lambda run: run["peak"]), "MiB", program.memory))
    if program.period is not None and all(len(run["ends"]) >= 2 * program.period for run in ours):
        new, known = ([passed(run, k, program.period) for run in ours] for k in (0, 1))
        rows.append(compared(f"{program.what}: new shapes", "the same again", new, known, "s", 2))
    return rows


def rows_against(program: Program, found: dict[str, list[dict[str, Any]]], other: str | None, steps: int) -> list[Row]:
    """The lines of one program and one contender, or of this package alone."""

    def line(what: str, figure: Any, unit: str, at_most: float | None) -> Row:
        here = [figure(run) for run in found[OURS]]
        if other is None:
            return alone(f"{program.what}: {what}", statistics.median(here), unit)
        there = [figure(run) for run in found[other]]
        return compared(f"{program.what}: {what}", other, here, there, unit, at_most)

    def line_of(number: int) -> Row:
        at_most = program.many if of_megengine else program.hundred if number == 100 and other else None
        row = line(f"{number} steps", lambda run: ended(run, number), "s", at_most)
        row.here += shown_done(found[OURS], number)
        row.there += shown_done(found[other], number) if other is not None else ""
        return row

    of_megengine = other == MEGENGINE
    rows = [line("build + first step", lambda run: run["ends"][0], "s", 1.0 if of_megengine else program.first)]
    rows[0].here = in_two(found[OURS])
    if other is not None:
        rows[0].there = in_two(found[other])
    rows += map(line_of, sorted({*program.marks, steps}))
    cpu = line(f"CPU time, {steps} steps", lambda run: cpu_of(run, steps), "s", program.cpu if other == PYTORCH else None)
    rows.append(cpu)
    if not (other is None and program.memory):
        rows.append(line("peak memory", lambda run: run["peak"], "MiB", None))
    return rows


def ended(run: dict[str, Any], number: int) -> float:
    """Seconds until a step ended; what was not done is taken to last as the median of the steps after the first."""
    ends: list[float] = run["ends"]
    if number <= len(ends):
        return ends[number - 1]
    return ends[-1] + (number - len(ends)) * statistics.median(np.diff(ends).tolist())


def cpu_of(run: dict[str, Any], steps: int) -> float:
    """CPU seconds of so many steps, in the same way."""
    return float(run["cpu"]) * ended(run, steps) / float(run["ends"][-1])


def shown_done(runs: Sequence[dict[str, Any]], number: int) -> str:
    """How many steps were done where it was fewer."""
    done = min(len(run["ends"]) for run in runs)
    return f" (from {done})" if done < number else ""


def in_two(runs: Sequence[dict[str, Any]]) -> str:
    """Time of the construction and of the first step."""
    return f"{median(runs, lambda run: run['built']):.2f} + {median(runs, lambda run: run['ends'][0] - run['built']):.2f} s"


def median(runs: Sequence[dict[str, Any]], figure: Any) -> float:
    """The median of a figure over the rounds."""
    return statistics.median(figure(run) for run in runs)


def passed(run: dict[str, Any], number: int, period: int) -> float:
    """Seconds of one pass over all shapes, but for the first step of the program and its likes."""
    return float(run["ends"][(number + 1) * period - 1] - run["ends"][number * period])


def whole_process(setup: Setup, rounds: int) -> list[Row]:
    """The tutorial's program, whole processes: the first run ever."""
    assert setup.program is not None
    contenders = {OURS: sys.executable} | ({MEGENGINE: setup.megengine} if setup.megengine else {})
    found: dict[str, list[dict[str, float]]] = {who: [] for who in contenders}
    for _ in range(rounds):
        for who, python in contenders.items():
            with tempfile.TemporaryDirectory() as cache:
                found[who].append(process([python, setup.program], who == OURS, MEGENGINE_CACHE_DIR=cache))
    figures = (
        ("whole process", "seconds", "s", 0.28),
        ("CPU time", "cpu", "s", None),
        ("peak memory", "peak", "MiB", None),
    )
    rows = []
    for what, figure, unit, at_most in figures:
        values = {who: [run[figure] for run in runs] for who, runs in found.items()}
        what = f"the tutorial's program, five epochs: {what}"
        if MEGENGINE in values:
            rows.append(compared(what, MEGENGINE, values[OURS], values[MEGENGINE], unit, at_most))
        else:
            rows.append(alone(what, statistics.median(values[OURS]), unit))
    return rows


def process(command: Sequence[str | Path], ours: bool, **more: str) -> dict[str, float]:
    """Seconds, CPU seconds and peak memory of a process that must succeed."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(list(map(str, command)), env=environment(ours, **more), stdout=output, stderr=output)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        if status:
            output.seek(0)
            raise RuntimeError(f"{command} ended with {child.returncode}:\n{output.read()[-4000:].decode()}")
    return {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}


def main(argv: list[str] | None = None) -> None:
    """Measure the programs named on the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description="Programs from their start.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(PROGRAMS_OF_COLD)}; default all")
    parser.add_argument("--megengine", metavar="PYTHON", help="interpreter with MegEngine 1.13")
    parser.add_argument("--torch", metavar="PYTHON", help="interpreter with PyTorch")
    parser.add_argument("--program", metavar="FILE", type=Path, help="the tutorial's program")
    parser.add_argument("--rounds", metavar="N", type=int, default=ROUNDS)
    parser.add_argument("--hundred", action="store_true", help="do at least 100 steps of each program")
    parser.add_argument(
        "--limit",
        metavar="SECONDS",
        type=float,
        default=math.inf,
        help="begin no further step after this; those left are taken to last as the others, and the table says so",
    )
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in PROGRAMS_OF_COLD]
    if unknown:
        parser.error(f"no program {', '.join(unknown)}; there are {', '.join(PROGRAMS_OF_COLD)}")
    setup = Setup(arguments.megengine, arguments.torch, arguments.program)
    print(HEADER)
    for row in lines(setup, arguments.names, arguments.rounds, arguments.hundred, arguments.limit):
        print(row, flush=True)
    if setup.missing():
        print(f"\nNot measured: {' and '.join(setup.missing())}.")


if __name__ == "__main__":
    main()
