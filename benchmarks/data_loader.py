"""Batches of the tutorial's data pipeline."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from .contenders import Setup, Worker, alternate
from .results import Section, compared

BATCHES, ROUNDS = 938, 7
ABOUT = (
    "One pass over 60,000 images of 784 uint8 pixels with their labels: shuffled, batches of 64, normalised by mean and standard "
    f"deviation, in one process. {ROUNDS} rounds; the contenders' first batches in order are equal."
)
LABELS = {"ours_one_by_one": "this package, sample by sample", "megengine": "MegEngine", "torch": "PyTorch"}


def measure(setup: Setup) -> Section:
    """Microseconds a batch of every contender."""
    pythons = {"ours": sys.executable, "ours_one_by_one": sys.executable}
    pythons.update({name: path for name, path in (("megengine", setup.megengine), ("torch", setup.torch)) if path})
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(python, "loaders.py", name, ours=name.startswith("ours")))
            for name, python in pythons.items()
        }
        for name, worker in workers.items():
            if worker.check != workers["ours"].check:
                raise RuntimeError(f"the first batches differ: {name} {worker.check}, ours {workers['ours'].check}")
            worker.ask(1)
        passes = alternate(workers, setup.rounds(ROUNDS), 1)
    times = {name: [p / BATCHES for p in measured] for name, measured in passes.items()}
    rows = [compared("one batch", LABELS[name], times["ours"], times[name], "µs") for name in list(times)[1:]]
    return Section("", ABOUT, rows)
