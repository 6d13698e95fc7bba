"""Training steps of a perceptron, a transformer, an LSTM and a ResNet against PyTorch."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import numpy as np

from .contenders import Setup, Worker, alternate
from .results import Row, Section, alone, compared

ROUNDS = 9
# task -> (what it is, steps a round); all but the last have a target
TASKS = {
    "mlp": ("perceptron 1024-2048-2048-1000, batch 64", 20),
    "transformer": ("transformer, 6 layers of width 256, 8 heads, sequence 128, batch 8", 4),
    "lstm": ("LSTM 256, length 64, batch 32", 20),
    "resnet": ("ResNet-18, batch 16 of 64 x 64", 3),
}
ABOUT = (
    "Forward, backward, Adam and `loss.item()` at every step, batches coming as NumPy arrays. The contenders start from the same "
    f"weights and agree on the first three losses. {ROUNDS} rounds. The first three steps are those of a process with an empty "
    "compile cache."
)


def measure(setup: Setup) -> Section:
    """Milliseconds a step of every contender, task by task."""
    return Section("", ABOUT, [row for task in TASKS for row in _rows(task, setup)])


def _rows(task: str, setup: Setup) -> list[Row]:
    what, steps = TASKS[task]
    with ExitStack() as stack:

        def start(python: str, program: str, *more: str, **variables: str) -> Worker:
            ours = program == "models_megengine.py" and python == sys.executable
            return stack.enter_context(Worker(python, program, task, *more, ours=ours, **variables))

        workers = {
            "ours": start(sys.executable, "models_megengine.py", "eager", MEGENGINE_CACHE="0"),
            "ours, skip": start(sys.executable, "models_megengine.py", "skip", MEGENGINE_CACHE="0"),
        }
        if setup.torch:
            workers["torch"] = start(setup.torch, "models_torch.py")
        for worker in workers.values():
            losses, ours = (w.check["losses"][:3] for w in (worker, workers["ours"]))  # rounding grows in a ResNet
            np.testing.assert_allclose(losses, ours, rtol=1e-3)
        times = {name: [t / 1000 for t in ts] for name, ts in alternate(workers, setup.rounds(ROUNDS), steps).items()}
    rows = [alone(f"{what}: first three steps", workers["ours"].check["seconds"], "s")]
    if "torch" in times:
        wanted = {"ours": 1.0, "ours, skip": 0.8} if task != "resnet" else {}
        for name, how in (("ours", "imperative"), ("ours, skip", "body skipped")):
            step = f"{what}: step, {how}"
            rows.append(compared(step, "PyTorch eager", times[name], times["torch"], "ms", wanted.get(name)))
    return rows
