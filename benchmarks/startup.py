"""What `import megengine` costs beyond `import jax`."""

from __future__ import annotations

import statistics
import sys
import time

from .contenders import Setup, answer, run
from .results import Row, Section, alone

ROUNDS = 15
ABOUT = f"Whole processes that only import, in turns, {ROUNDS} rounds; files are in the page cache."


def measure(setup: Setup) -> Section:
    """Seconds, and what was compiled."""
    modules = ["jax", "megengine"]
    pythons = {"jax": sys.executable, "megengine": sys.executable}
    if setup.torch:
        modules.append("torch")
        pythons["torch"] = setup.torch
    times: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(1 + setup.rounds(ROUNDS)):
        for module in modules:
            started = time.perf_counter()
            run([pythons[module], "-c", f"import {module}"], ours=module != "torch")
            times[module].append(time.perf_counter() - started)
    beyond = [ours - jax for ours, jax in zip(times["megengine"][1:], times["jax"][1:], strict=True)]
    compiled = answer("importing.py", MEGENGINE_CACHE="0")
    if not compiled["seen_later"]:
        raise RuntimeError("JAX reported no compilation even where there is one")
    rows = [
        alone("`import megengine` beyond `import jax`", statistics.median(beyond), "s", 0.5),
        Row("compiled at import", str(len(compiled["imported"])), target="0", met=not compiled["imported"]),
        *(alone(f"`import {module}`, whole process", statistics.median(times[module][1:]), "s") for module in modules),
    ]
    return Section("", ABOUT, rows)
