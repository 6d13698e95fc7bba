"""The training step of the tutorial's network: imperative, traced, and with its body skipped."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import numpy as np

from .contenders import Setup, Worker, alternate
from .results import Section, compared

STEPS, ROUNDS = 200, 15
ABOUT = (
    "Forward, backward and SGD of the network 784-256-10 with ReLU and cross entropy, batch 64, and `loss.item()` at every step. "
    f"A step takes its batch as NumPy arrays and makes tensors of them. {ROUNDS} rounds of {STEPS} steps a contender. All start "
    "from the same weights, and the first ten losses of all agree to five digits. The hand-written step is one `jax.jit` of "
    "`value_and_grad` and the update, its parameters donated."
)


def measure(setup: Setup) -> Section:
    """Microseconds a step of every contender."""
    pythons = {
        "ours": (sys.executable, "step_megengine.py", "eager"),
        "ours, trace": (sys.executable, "step_megengine.py", "trace"),
        "ours, skip": (sys.executable, "step_megengine.py", "skip"),
        "jax": (sys.executable, "step_jax.py"),
    }
    if setup.torch:
        pythons["torch"] = (setup.torch, "step_torch.py")
    if setup.megengine:
        pythons["megengine"] = (setup.megengine, "step_megengine.py", "eager")
        pythons["megengine, trace"] = (setup.megengine, "step_megengine.py", "trace")
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(*command, ours=name.startswith("ours")))
            for name, command in pythons.items()
        }
        for worker in workers.values():
            np.testing.assert_allclose(worker.check, workers["ours"].check, rtol=1e-5)
        times = alternate(workers, setup.rounds(ROUNDS), STEPS)
    rows = [
        compared(what, label, times[ours], times[other], "µs", target)
        for what, ours, label, other, target in (
            ("step, imperative", "ours", "PyTorch eager", "torch", 0.70),
            ("step, imperative", "ours", "MegEngine eager", "megengine", 1 / 6),
            ("step, imperative", "ours", "hand-written jax.jit", "jax", None),
            ("step, `jit.trace`", "ours, trace", "imperative", "ours", None),
            ("step, `jit.trace`", "ours, trace", "MegEngine trace", "megengine, trace", None),
            ("step, `trace(without_host=True)`", "ours, skip", "hand-written jax.jit", "jax", 1.10),
        )
        if other in times
    ]
    return Section("", ABOUT, rows)
