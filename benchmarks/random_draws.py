"""Large draws of random numbers."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from .contenders import Setup, Worker, alternate
from .results import Section, compared

ROUNDS = 9
ABOUT = (
    "Ten million float32 numbers of the default generator (XORWOW), on the host at the end: `random.normal(0, 1, n).numpy()`. "
    f"NumPy's legacy generator draws float64, which is then converted; its newer one draws float32. {ROUNDS} rounds."
)
LABELS = {"legacy": "`numpy.random.{}`", "generator": "`numpy.random.default_rng()`, float32"}


def measure(setup: Setup) -> Section:
    """Milliseconds a draw."""
    rows = []
    for kind in ("normal", "uniform"):
        with ExitStack() as stack:
            workers = {
                who: stack.enter_context(Worker(sys.executable, "drawing.py", who, kind, ours=who == "ours"))
                for who in ("ours", "legacy", "generator")
            }
            times = {
                who: [t / 1000 for t in drawn] for who, drawn in alternate(workers, setup.rounds(ROUNDS), 1).items()
            }
        rows += [compared(kind, LABELS[who].format(kind), times["ours"], times[who], "ms", 1.0) for who in LABELS]
    return Section("", ABOUT, rows)
