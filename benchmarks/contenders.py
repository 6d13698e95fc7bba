"""Processes of the contenders: each runs in its own interpreter, and all take turns, so that disturbances meet all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(__file__).resolve().parent / "programs"


@dataclass(frozen=True)
class Setup:
    """What the benchmarks may use.

    Attributes:
        megengine: interpreter with real MegEngine 1.13, or None.
        torch: interpreter with PyTorch, or None.
        program: the tutorial's program, or None.
        quick: take few rounds, to see whether everything works.
    """

    megengine: str | None = None
    torch: str | None = None
    program: Path | None = None
    quick: bool = False

    def rounds(self, number: int) -> int:
        """How often to measure."""
        return 2 if self.quick else number

    def missing(self) -> list[str]:
        """Names of contenders that are not installed."""
        return [name for name, there in (("MegEngine", self.megengine), ("PyTorch", self.torch)) if there is None]


def environment(ours: bool, **more: str) -> dict[str, str]:
    """Environment variables of a contender; real MegEngine must not find this package by its name."""
    left_out = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")  # installed packages have byte code
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    if ours:
        variables["PYTHONPATH"] = str(ROOT)
    return variables | more


# What is measured over and over is measured as it is in the end, not while the host's interpreter still runs it.
STEADY = {"MEGENGINE_TIER": "compiled"}


class Worker:
    """A contender's process, which answers requests until it is closed; ours compiles what it is asked for.

    Attributes:
        check: what it sent first, which all contenders must agree on.
    """

    def __init__(self, python: str, program: str, *args: str, ours: bool = False, **more: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            [python, str(PROGRAMS / program), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(ours, **(STEADY if ours else {}) | more),
        )
        self.check = json.loads(self._line())

    def ask(self, repetitions: int) -> float:
        """Microseconds of one repetition, over a block of them."""
        return float(self.request(repetitions))

    def request(self, what: Any) -> Any:
        """The answer to a line of JSON."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._errors.seek(0)
            message = f"{self._process.args!r} ended with {status}:\n{self._errors.read()[-4000:]}"
            self.__exit__()
            raise RuntimeError(message)
        return line

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate()
        self._errors.close()


def alternate(workers: Mapping[str, Worker], rounds: int, repetitions: int) -> dict[str, list[float]]:
    """Microseconds a repetition of each contender in each round; every other round goes in reverse order."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    for number in range(rounds):
        for name in list(workers)[:: -1 if number % 2 else 1]:
            times[name].append(workers[name].ask(repetitions))
    return times


def run(command: Iterable[str | Path], ours: bool = True, **more: str) -> str:
    """Standard output of a process that must succeed."""
    done = subprocess.run([str(c) for c in command], env=environment(ours, **more), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{done.args} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout


def answer(program: str, *args: object, **more: str) -> Any:
    """What one of the programs, run with this package, prints as JSON on its last line."""
    return json.loads(run([sys.executable, PROGRAMS / program, *map(str, args)], True, **more).splitlines()[-1])
