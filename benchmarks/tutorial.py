"""The tutorial's program, unmodified, from the start of its process to the end."""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from .contenders import PROGRAMS, Setup, run
from .results import Section, compared

ROUNDS = 5
ABOUT = (
    "The whole process, with interpreter start, import and reading the data set: five epochs of Fashion-MNIST and the test set "
    "after each. MegEngine runs the same file. *First run ever* has no compiled programs on disk; *warm* finds those of an "
    f"earlier run. {ROUNDS} rounds. PyTorch's port normalises each image in the data set, as the tutorial's loader does; "
    "*normalised beforehand* is a TensorDataset of finished tensors, less work than the tutorial's."
)
LEAST_ACCURACY = 0.82


def measure(setup: Setup) -> Section:
    """Seconds of every contender, and the accuracies they reached."""
    assert setup.program is not None
    ported = PROGRAMS / "torch_tutorial.py"
    others: dict[str, list[str | Path]] = {}
    if setup.megengine:
        others["MegEngine, same file"] = [setup.megengine, setup.program]
    if setup.torch:
        others["PyTorch"] = [setup.torch, ported]
        others["PyTorch, normalised beforehand"] = [setup.torch, ported, "--normalised"]
    seconds: dict[str, list[float]] = {name: [] for name in ("first", "warm", *others)}
    accuracies: dict[str, list[float]] = {name: [] for name in seconds}

    def timed(name: str, command: list[str | Path], **more: str) -> None:
        started = time.perf_counter()
        output = run(command, ours=name in ("first", "warm"), **more)
        seconds[name].append(time.perf_counter() - started)
        accuracies[name].append(final_accuracy(output))

    for _ in range(1 if setup.quick else ROUNDS):
        with tempfile.TemporaryDirectory() as cache:
            for name in ("first", "warm"):
                timed(name, [sys.executable, setup.program], MEGENGINE_CACHE_DIR=cache)
        for name, command in others.items():
            timed(name, command)
    rows = [
        compared(what, other, seconds[ours], seconds[other], "s", _target(other, target))
        for what, ours, target in (("warm", "warm", 1 / 4), ("first run ever", "first", 1 / 3))
        for other in others
    ]
    accuracies["this package"] = accuracies.pop("first") + accuracies.pop("warm")
    reached = ", ".join(f"{name} {statistics.median(found):.3f}" for name, found in accuracies.items())
    return Section("", ABOUT, rows, [f"Median accuracy on the test set after five epochs: {reached}."])


def _target(other: str, of_megengine: float) -> float | None:
    """A fraction of MegEngine's time; PyTorch's idiomatic port is to be beaten."""
    return {"MegEngine, same file": of_megengine, "PyTorch": 1.0}.get(other)


def final_accuracy(output: str) -> float:
    """The last accuracy that the program printed; a program that did not learn was not worth timing."""
    found = re.findall(r"val_acc = ([\d.]+)", output)
    if len(found) != 5 or float(found[-1]) < LEAST_ACCURACY:
        raise RuntimeError(f"the program did not train as it should:\n{output[-2000:]}")
    return float(found[-1])
