"""Saving and loading of a checkpoint of 400 MB."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from .contenders import PROGRAMS, Setup, run
from .results import Row, Section, compared, figure

ROUNDS = 5
RATE = 0.8  # of the rate of a plain read
PEAK = 1.3
ABOUT = (
    "The float32 state of a transformer of 12 layers, 402 MB in 145 arrays, in the page cache; each operation in a process "
    "of its own, which has done it once on a small state and loads five times, {rounds} rounds. A *plain read* is one "
    "`readinto` of a fresh NumPy buffer, a *plain write* the bytes of all arrays, with `fsync`, as `megengine.save` does. Peak "
    "memory is what the resident set's peak grew by while loading, as a multiple of the state."
)


class Contender:
    """How to run one, and what it took."""

    def __init__(self, label: str, name: str, python: str, ours: bool, suffix: str) -> None:
        self.label, self.name, self.python, self.ours, self.suffix = label, name, python, ours, suffix
        self.seconds: dict[str, list[float]] = {"save": [], "load": []}
        self.peak = 0.0

    def measure(self, operation: str, folder: Path) -> None:
        file = folder / f"{self.name}.{self.label.partition(' ')[0]}{self.suffix}"
        command = [self.python, PROGRAMS / "checkpoint.py", self.name, operation, file]
        took = json.loads(run(command, self.ours).splitlines()[-1])
        self.seconds[operation].append(took["seconds"])
        if operation == "load":
            self.peak = max(self.peak, took["peak"])


def contenders(setup: Setup) -> list[Contender]:
    """Those that are here; this package's two first, then the plain one."""
    here = sys.executable
    found = [
        Contender("state dict", "arrays", here, True, ".mge"),
        Contender("tensors", "tensors", here, True, ".mge"),
        Contender("plain", "plain", here, False, ".bin"),
        Contender("NumPy, `npz`", "numpy", here, False, ".npz"),
    ]
    if setup.torch:
        found.append(Contender("PyTorch", "torch", setup.torch, False, ".pt"))
    if setup.megengine:
        found.append(Contender("MegEngine", "arrays", setup.megengine, False, ".real.mge"))
    return found


def measure(setup: Setup) -> Section:
    """Seconds and peak memory of loading, seconds of saving."""
    all_ = contenders(setup)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1 + setup.rounds(ROUNDS)):
            for operation in ("save", "load"):
                for contender in all_[:: -1 if number % 2 else 1]:
                    contender.measure(operation, Path(folder))
    for contender in all_:
        for times in contender.seconds.values():
            del times[0]
    arrays, tensors, plain, *others = all_
    rows = []
    for ours in (arrays, tensors):
        rows.append(
            compared(f"load, {ours.label}", "plain read", ours.seconds["load"], plain.seconds["load"], "s", 1 / RATE)
        )
        rows.append(
            Row(f"peak memory, {ours.label}", f"{ours.peak:.2f} times", target=f"≤ {PEAK} times", met=ours.peak <= PEAK)
        )
    for other in others:
        rows.append(compared("load, state dict", other.label, arrays.seconds["load"], other.seconds["load"], "s"))
    rows.append(compared("save, state dict", "plain write", arrays.seconds["save"], plain.seconds["save"], "s"))
    for other in others:
        rows.append(compared("save, state dict", other.label, arrays.seconds["save"], other.seconds["save"], "s"))
    rate = 0.4017 / statistics.median(arrays.seconds["load"])
    peaks = ", ".join(f"{other.label} {other.peak:.2f}" for other in others)
    notes = [f"State dicts load at {figure(rate, 'GB/s')}. Peak memory of the others, times the state: {peaks}."]
    return Section("", ABOUT.format(rounds=ROUNDS), rows, notes)
