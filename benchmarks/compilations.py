"""What the tutorial's program compiles, epoch by epoch."""

from __future__ import annotations

import tempfile

from .contenders import STEADY, Setup, answer
from .results import Row, Section

ABOUT = (
    "The tutorial's program, unmodified, five epochs: programs compiled in each epoch, and why. A place is the line of the "
    "program where the graph begins; the reasons are those of `megengine.graph.counters`. To expect are the training step, its "
    "accuracy and the test batch, each once more for the smaller last batch, and the first step, which draws the weights too."
)


def measure(setup: Setup) -> Section:
    """Counts and reasons."""
    assert setup.program is not None
    with tempfile.TemporaryDirectory() as cache:
        found = answer("compiling.py", setup.program, MEGENGINE_CACHE_DIR=cache, **STEADY)
    first, *later = [len(period["compiled"]) for period in found["periods"]]
    if not later:
        raise RuntimeError(f"the program printed {len(found['periods'])} lines, one an epoch was expected")
    rows = [
        Row("compiled in the first epoch", str(first), target="a fixed small number"),
        Row("compiled in later epochs", ", ".join(map(str, later)), target="0", met=not any(later)),
        Row("graphs run in all", str(found["periods"][-1]["flushes"])),
    ]
    notes = [
        f"Epoch {number}: {each['where']}, {each['ops']} ops, {each['live']} results, {each['reason']}"
        for number, period in enumerate(found["periods"])
        for each in period["compiled"]
    ]
    return Section("", ABOUT, rows, notes, timed=False)
