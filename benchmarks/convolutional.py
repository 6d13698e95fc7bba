"""Training steps and inference of convolutional networks against PyTorch.

    python -m benchmarks.convolutional [names] [--torch PYTHON] [--rounds N] [--inference] [--one-core]

measures some of the networks and prints the table; ``python -m benchmarks.run convolutional`` measures all and writes it.
With ``--one-core`` it is the time that processes have one core for, on a machine that others use.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import numpy as np

from .contenders import Setup, Worker, alternate
from .results import HEADER, Row, Section, alone, compared

ROUNDS = 7
STEPS = 3
PROGRAM = "convolutional.py"
# network -> (what it is, the most of PyTorch's time that a step should take, and the first step)
NETWORKS = {
    "resnet18_small": ("ResNet-18, batch 16 of 64 x 64", 0.9, 1.5),
    "resnet18": ("ResNet-18, batch 8 of 224 x 224", 0.95, 1.5),
    "resnet50": ("ResNet-50, batch 4 of 224 x 224", 0.95, 2.0),
    "mobilenetv2": ("MobileNetV2, batch 8 of 224 x 224", 0.95, 2.0),
    "unet": ("U-Net, batch 2 of 256 x 256", 1.0, 2.0),
    "cifar": ("the CIFAR-10 network, batch 64 of 32 x 32", 0.9, 2.0),
}
BATCHES = (1, 8)
ABOUT = (
    "Forward, backward, SGD with momentum and `loss.item()` at every step, float32, the batch coming as NumPy arrays; "
    "*inference* is the forward pass in evaluation mode. The contenders start from the same weights and agree on the first "
    "three values. PyTorch stands for the faster of its default layout and `channels_last`. The first step is that of a "
    "process with an empty compile cache, from the process's start, imports included."
)


def measure(setup: Setup, names: Iterable[str] = (), rounds: int = ROUNDS, inference: bool = True) -> Section:
    """Milliseconds of every network, trained and run."""
    rows: list[Row] = []
    for name in names or NETWORKS:
        rows += training(setup, name, setup.rounds(rounds))
        for batch in BATCHES if inference else ():
            rows += in_turns(setup, name, str(batch), setup.rounds(rounds), 1.0)
    return Section("", ABOUT, rows, [f"Rounds: {setup.rounds(rounds)}, of {STEPS} steps."])


def training(setup: Setup, name: str, rounds: int) -> list[Row]:
    """The lines of one network's training."""
    what, at_most, first = NETWORKS[name]
    rows = in_turns(setup, name, "train", rounds, at_most)
    firsts: dict[str, list[float]] = {}
    for _ in range(max(rounds // 2, 1)):
        for who, worker in sides(setup, name, "train", MEGENGINE_TIER="auto"):
            with worker:
                firsts.setdefault(who, []).append(worker.check["first"])
    return [*rows, *against(f"{what}: to the end of the first step", firsts, "s", first)]


def in_turns(setup: Setup, name: str, how: str, rounds: int, at_most: float, **variables: str) -> list[Row]:
    """The lines of one network, trained, or run on batches of a size."""
    with ExitStack() as stack:
        workers = {who: stack.enter_context(worker) for who, worker in sides(setup, name, how, **variables)}
        for worker in workers.values():
            np.testing.assert_allclose(worker.check["values"], workers["ours"].check["values"], rtol=2e-2, atol=1e-3)
        times = alternate(workers, rounds, STEPS)
        peaks = {who: [worker.check["peak"]] for who, worker in workers.items()}
    what = (
        f"{NETWORKS[name][0]}: step"
        if how == "train"
        else f"{NETWORKS[name][0].partition(',')[0]}: inference, batch {how}"
    )
    rows = against(what, {who: [t / 1000 for t in ts] for who, ts in times.items()}, "ms", at_most)
    return rows + against(f"{NETWORKS[name][0]}: peak memory", peaks, "MiB", 1.1) if how == "train" else rows


def sides(setup: Setup, name: str, how: str, **variables: str) -> Iterator[tuple[str, Worker]]:
    """The contenders' processes; ours without anything compiled before."""
    with tempfile.TemporaryDirectory() as cache:
        yield (
            "ours",
            Worker(sys.executable, PROGRAM, "megengine", name, how, ours=True, MEGENGINE_CACHE_DIR=cache, **variables),
        )
    if setup.torch:
        yield "torch", Worker(setup.torch, PROGRAM, "torch", name, how, **variables)
        yield "channels_last", Worker(setup.torch, PROGRAM, "channels_last", name, how, **variables)


def against(what: str, found: dict[str, list[float]], unit: str, at_most: float) -> list[Row]:
    """A line against the better of PyTorch's layouts, or of this package alone."""
    if "torch" not in found:
        return [alone(what, statistics.median(found["ours"]), unit)]
    best = min(("torch", "channels_last"), key=lambda who: statistics.median(found[who]))
    other = "PyTorch" if best == "torch" else "PyTorch, channels_last"
    return [compared(what, other, found["ours"], found[best], unit, at_most)]


def main() -> None:
    """Measure what the command line names, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convolutional", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], help="default all")
    parser.add_argument("--torch", metavar="PYTHON", help="interpreter with PyTorch")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--inference", action="store_true", help="inference too")
    parser.add_argument("--one-core", action="store_true", help="the time of one core, of steps alone")
    given = parser.parse_args()
    print(HEADER, flush=True)
    for name in given.names or NETWORKS:
        if given.one_core:
            row = in_turns(Setup(torch=given.torch), name, "train", given.rounds, NETWORKS[name][1], ONE_CORE="1")[0]
            print(row, flush=True)
            continue
        for row in measure(Setup(torch=given.torch), [name], given.rounds, given.inference).rows:
            print(row, flush=True)


if __name__ == "__main__":
    main()
