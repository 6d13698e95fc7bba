"""Training steps and inference of convolutional networks, and an LSTM, against PyTorch and ONNX Runtime.

    python -m benchmarks.convolutional [names] [--torch PYTHON] [--rounds N] [--rows step first memory inference]
        [--one-core] [--bfloat16]

measures some of the networks and prints the table; ``python -m benchmarks.run convolutional`` measures all and writes it. With
``--one-core`` steps and inference are measured by the time that processes have one core for, on a machine that others use. With
``--bfloat16`` steps are those of mixed precision.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import numpy as np

from .contenders import Setup, Worker, alternate, answer
from .results import HEADER, Row, Section, alone, compared

ROUNDS = 5
STEPS, TURN = 2, 1e6  # a turn is at least so many steps, and about so many microseconds
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
LSTM = "lstm"
# Time steps, batch, features and hidden units of programs/models.py.
LSTM_SIZES = 64, 32, 256, 256
EVALUATED = ("resnet18", "resnet50", "mobilenetv2")
BATCHES = (1, 8)
ROWS = ("step", "first", "memory", "inference")
MOST_MEMORY = 1.1
ABOUT = (
    "Forward, backward, SGD with momentum and `loss.item()` at every step (the LSTM: Adam), float32, the batch coming as "
    "NumPy arrays; *inference* is the forward pass in evaluation mode, from NumPy to NumPy, in ONNX Runtime of the model "
    "that `megengine.onnx` writes. The contenders start from the same weights and agree on the first values. PyTorch stands"
    " for the faster of its default layout and `channels_last`. The *limit* is the time that the products alone take, three"
    " times those of the forward pass in training, at as many a second as NumPy does in a product of two matrices of 2,048."
    " The first step is that of a process with an empty compile cache, from the process's start, imports included; peak "
    "memory that of one whose executable has taken over from the interpreter."
)


def measure(setup: Setup, names: Iterable[str] = (), rounds: int = ROUNDS, rows: Iterable[str] = ROWS) -> Section:
    """What is asked for of every network."""
    found = list(lines(setup, names or (*NETWORKS, LSTM), setup.rounds(rounds), rows))
    return Section("", ABOUT, found, [f"Rounds: {setup.rounds(rounds)}, a second of steps each."])


def lines(setup: Setup, names: Iterable[str], rounds: int, rows: Iterable[str], **variables: str) -> Iterator[Row]:
    """The lines, as they are measured."""
    rate = float(answer(PROGRAM, "megengine", "cifar", "peak", **variables))
    for name in names:
        if name == LSTM:
            if "step" in rows:
                yield from recurrent(setup, rounds, rate, **variables)
            continue
        what, target, first = NETWORKS[name]
        at_most = None if "BFLOAT16" in variables else target  # those are for float32
        products = float(answer(PROGRAM, "megengine", name, "products"))
        if "step" in rows:
            yield from in_turns(setup, name, "train", rounds, at_most, **variables)
            yield alone(f"{what}: step, limit", 3 * products / rate * 1000, "ms")
        if "first" in rows or "memory" in rows:
            yield from starts(setup, name, first, rows)
        if "inference" in rows and name in EVALUATED:
            for batch in BATCHES:
                yield from in_turns(setup, name, str(batch), rounds, 1.0, **variables)
                each = products / int(what.partition("batch ")[2].partition(" ")[0])
                yield alone(
                    f"{what.partition(',')[0]}: inference, batch {batch}, limit", each * batch / rate * 1000, "ms"
                )


def starts(setup: Setup, name: str, first: float, rows: Iterable[str]) -> Iterator[Row]:
    """The first step, and memory, of processes that start with nothing compiled."""
    what = NETWORKS[name][0]
    found: dict[str, dict[str, list[float]]] = {"first": {}, "peak": {}}
    for how in ("first", "memory") if "memory" in rows else ("first", "first"):
        for who, worker in sides(setup, name, how, MEGENGINE_TIER="auto"):
            with worker:
                found["first"].setdefault(who, []).append(worker.check["first"])
                if how == "memory":
                    found["peak"].setdefault(who, []).append(worker.check["peak"])
    if "first" in rows:
        yield against(f"{what}: to the end of the first step", found["first"], "s", first)
    if found["peak"]:
        yield against(f"{what}: peak memory", found["peak"], "MiB", MOST_MEMORY)


def in_turns(setup: Setup, name: str, how: str, rounds: int, at_most: float | None, **variables: str) -> list[Row]:
    """The lines of one network, trained, or run on batches of a size."""
    with ExitStack() as stack:
        workers = {who: stack.enter_context(worker) for who, worker in sides(setup, name, how, **variables)}
        if how != "train" and importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
            file = stack.enter_context(tempfile.TemporaryDirectory()) + "/network.onnx"
            answer(PROGRAM, "megengine", name, "export", file)
            workers["onnxruntime"] = stack.enter_context(
                Worker(sys.executable, PROGRAM, "onnxruntime", name, how, file, **variables)
            )
        error = 1e-1 if "BFLOAT16" in variables else 2e-2
        for worker in workers.values():
            np.testing.assert_allclose(worker.check["values"], workers["ours"].check["values"], rtol=error, atol=1e-3)
        times = turns(workers, rounds)
    what = NETWORKS[name][0]
    what = f"{what}: step" if how == "train" else f"{what.partition(',')[0]}: inference, batch {how}"
    rows = [against(what, times, "ms", at_most)]
    if "onnxruntime" in times:
        rows.append(compared(what, "ONNX Runtime", times["ours"], times["onnxruntime"], "ms"))
    return rows


def turns(workers: dict[str, Worker], rounds: int) -> dict[str, list[float]]:
    """Milliseconds a step of each contender in each round, after a turn that tells how long a step is."""
    longest = max(worker.ask(STEPS) for worker in workers.values())
    steps = max(STEPS, round(TURN / longest))
    return {who: [t / 1000 for t in ts] for who, ts in alternate(workers, rounds, steps).items()}


def recurrent(setup: Setup, rounds: int, rate: float, **variables: str) -> Iterator[Row]:
    """The lines of the LSTM."""
    length, batch, features, hidden = LSTM_SIZES
    what = f"LSTM {hidden}, length {length}, batch {batch}: step"
    with ExitStack() as stack:
        workers = {
            "ours": stack.enter_context(
                Worker(
                    sys.executable, "models_megengine.py", LSTM, "eager", ours=True, MEGENGINE_CACHE="0", **variables
                )
            )
        }
        if setup.torch:
            workers["torch"] = stack.enter_context(Worker(setup.torch, "models_torch.py", LSTM, **variables))
        for worker in workers.values():
            np.testing.assert_allclose(worker.check["losses"], workers["ours"].check["losses"], rtol=1e-3)
        times = turns(workers, rounds)
    yield against(what, times, "ms", 1.0)
    products = 3 * length * batch * 4 * hidden * (features + hidden)
    yield alone(f"{what}, limit", products / rate * 1000, "ms")


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


def against(what: str, found: dict[str, list[float]], unit: str, at_most: float | None) -> Row:
    """A line against the better of PyTorch's layouts, or of this package alone."""
    layouts = {"torch": "PyTorch", "channels_last": "PyTorch, channels_last"}
    there = [who for who in layouts if who in found]
    if not there:
        return alone(what, statistics.median(found["ours"]), unit)
    best = min(there, key=lambda who: statistics.median(found[who]))
    return compared(what, layouts[best], found["ours"], found[best], unit, at_most)


def main() -> None:
    """Measure what the command line names, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convolutional", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, LSTM, []], help="default all")
    parser.add_argument("--torch", metavar="PYTHON", help="interpreter with PyTorch")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, help="default all")
    parser.add_argument("--one-core", action="store_true", help="the time of one core, for steps and inference")
    parser.add_argument("--bfloat16", action="store_true", help="steps in mixed precision")
    given = parser.parse_args()
    print(HEADER, flush=True)
    variables = {name: "1" for name in ("ONE_CORE", "BFLOAT16") if getattr(given, name.lower())}
    names = given.names or [*NETWORKS, LSTM]
    for row in lines(Setup(torch=given.torch), names, given.rounds, given.rows, **variables):
        print(row, flush=True)


if __name__ == "__main__":
    main()
