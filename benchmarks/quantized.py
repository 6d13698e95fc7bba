"""Networks of 8-bit integers against float32, and against onnxruntime's.

    python -m benchmarks.quantized [names] [--rounds N] [--one-core]

prints the table; ``python -m benchmarks.run quantized`` writes it. With ``--one-core`` it is the time that processes have one
core for, on a machine that others use. It needs onnx and onnxruntime.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import numpy as np

from .contenders import Setup, Worker, alternate, answer
from .results import HEADER, Row, Section, compared

ROUNDS, STEPS = 7, 5
PROGRAM = "quantized.py"
NETWORKS = {"resnet18": "ResNet-18", "mobilenetv2": "MobileNetV2"}
BATCHES = (1, 8)
OURS = "int8", "float32"
ABOUT = (
    "Pictures of 224 x 224, answered by one compiled program; the weights are as they are drawn, statistics and ranges are those "
    "of two pictures. onnxruntime runs the same network in float32, quantised by its own `quantize_static` (int8, symmetric), "
    "and as this package exported it. The answers of all correlate by more than 0.9."
)


def measure(setup: Setup, names: Iterable[str] = (), rounds: int = ROUNDS, **variables: str) -> Section:
    """Milliseconds of an answer, and what the weights take."""
    rows: list[Row] = []
    for name in names or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            sizes = answer(PROGRAM, "write", name, folder)
            for batch in BATCHES:
                rows += in_turns(name, batch, folder, setup.rounds(rounds), variables)
            rows += weights(name, sizes)
    return Section("", ABOUT, rows, [f"Rounds: {setup.rounds(rounds)}, of {STEPS} answers."])


def in_turns(name: str, batch: int, folder: str, rounds: int, variables: dict[str, str]) -> list[Row]:
    """The lines of one network at one batch size."""
    with ExitStack() as stack:
        workers = {
            who: stack.enter_context(
                Worker(sys.executable, PROGRAM, who, name, str(batch), folder, ours=who in OURS, **variables)
            )
            for who in (*OURS, "float", "static", "ours")
        }
        for who, worker in workers.items():
            apart = np.corrcoef(worker.check, workers["float32"].check)[0, 1]
            assert apart > 0.9, f"{name}: the answers of {who} and of float32 correlate by {apart:.3f}"
        times = alternate(workers, rounds, STEPS)
    found = {who: [t / 1000 for t in ts] for who, ts in times.items()}
    what = f"{NETWORKS[name]}, batch {batch}"
    return [
        compared(f"{what}: int8", "float32 here", found["int8"], found["float32"], "ms", 1.0),
        compared(f"{what}: int8", "onnxruntime, its int8", found["int8"], found["static"], "ms"),
        compared(f"{what}: int8", "onnxruntime, our int8", found["int8"], found["ours"], "ms"),
        compared(f"{what}: float32", "onnxruntime, float32", found["float32"], found["float"], "ms"),
    ]


def weights(name: str, sizes: Any) -> list[Row]:
    """What the files of states, and of models, take."""
    floats, integers = sizes["states"]
    what = f"{NETWORKS[name]}: weights as int8, MB"
    return [compared(what, "float32", [integers / 1e6], [floats / 1e6], "", 0.27)]


def main() -> None:
    """Measure what the command line names, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantized", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], help="default all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--one-core", action="store_true", help="the time of one core")
    given = parser.parse_args()
    print(HEADER, flush=True)
    for name in given.names or NETWORKS:
        for row in measure(Setup(), [name], given.rounds, **({"ONE_CORE": "1"} if given.one_core else {})).rows:
            print(row, flush=True)


if __name__ == "__main__":
    main()
