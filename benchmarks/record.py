"""What recording an op costs, and cutting and looking up a graph."""

from __future__ import annotations

from statistics import median

from .contenders import STEADY, Setup, answer
from .results import Section, alone

ABOUT = (
    "Graphs of 1,000 ops through the public functions (200 times matmul, add, relu, mul by a number, reshape; 400 parameters), "
    "with shapes and dtypes inferred and the user's line kept for each op. Cutting is the time of `graph.flush()` less the time "
    "inside the compiled program's own call, taken from within: finding what is alive and what may be overwritten, the look-up, "
    "collecting the arguments, handing out the results. Medians over 200 graphs."
)


def measure(setup: Setup) -> Section:
    """Microseconds an op."""
    times = answer("recording.py", 5 if setup.quick else 200, **STEADY)
    rows = [
        alone("recording an op", median(times["record"]), "µs", 4.0),
        alone("cutting and look-up, an op", median(times["cut"]), "µs", 1.0),
        alone("recording an op under a GradManager", median(times["tracked"]), "µs"),
        alone("its backward pass, an op of the forward pass", median(times["backward"]), "µs"),
        alone("recording an op of a graph never met before", times["first"], "µs"),
    ]
    return Section("", ABOUT, rows)
