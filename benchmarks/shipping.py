"""Traced steps against hand-written JAX, dumps against what they were traced from and ONNX Runtime, and starts from a file.

    python -m benchmarks.shipping [mlp transformer resnet] [--rounds N] [--one-core] [--only steps|inference|starts]

prints the table. With ``--one-core`` steps and inference are measured by the time that processes have one core for, on a machine
that others use. ``python -m benchmarks.run shipping`` writes the section of RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np

from .contenders import PROGRAMS, Setup, Worker, alternate, environment, run
from .results import HEADER, Row, Section, alone, compared

ROUNDS = 7
# task -> (what it is, steps a round, the batch in training)
TASKS = {
    "mlp": ("perceptron 1024-2048-2048-1000", 20, 64),
    "transformer": ("transformer, 6 layers of width 256, sequence 128", 3, 8),
    "resnet": ("ResNet-18 of 64 x 64", 3, 16),
}
PARTS = ("steps", "inference", "starts")
ABOUT = (
    "*Steps*: forward, backward, Adam and `loss.item()`, the body skipped (`trace(without_host=True)`), against one "
    "hand-written `jax.jit` with everything donated; the first five losses agree. *Inference*: from NumPy to NumPy, of a "
    "dump, of the module in a traced function whose body is skipped, and of the same model as ONNX in ONNX Runtime; the "
    "results agree. *To the first result*: a process of its own from the start of its imports, reading the file included; "
    "*cold* is with an empty compile cache, *warm* with what earlier processes left there."
)


def measure(setup: Setup, names: Iterable[str] = (), rounds: int = ROUNDS, parts: Iterable[str] = PARTS) -> Section:
    """Every network's figures."""
    return Section("", ABOUT, list(rows(names or TASKS, setup.rounds(rounds), parts)))


def rows(names: Iterable[str], rounds: int, parts: Iterable[str], **variables: str) -> Iterator[Row]:
    """The lines, as they are measured."""
    with tempfile.TemporaryDirectory() as folder:
        for task in names:
            if "steps" in parts:
                yield steps(task, rounds, **variables)
            if set(parts) - {"steps"}:
                run([sys.executable, PROGRAMS / "shipped.py", "make", task, folder])
            if "inference" in parts:
                for batch in (1, TASKS[task][2]):
                    yield from inference(task, batch, folder, rounds, **variables)
            if "starts" in parts:
                yield from starts(task, folder, max(rounds // 2, 1))


def steps(task: str, rounds: int, **variables: str) -> Row:
    """A training step of both."""
    what, count, batch = TASKS[task]
    with ExitStack() as stack:
        ours = stack.enter_context(Worker(sys.executable, "models_megengine.py", task, "skip", ours=True, **variables))
        jax = stack.enter_context(Worker(sys.executable, "models_jax.py", task, **variables))
        np.testing.assert_allclose(
            ours.check["losses"], jax.check["losses"], rtol=1e-2
        )  # Adam makes much of last digits
        times = milliseconds(alternate({"ours": ours, "jax": jax}, rounds, count))
    name = f"{what}, batch {batch}: step, body skipped"
    return compared(name, "hand-written jax.jit", times["ours"], times["jax"], "ms", 1.05)


def inference(task: str, batch: int, folder: str, rounds: int, **variables: str) -> Iterator[Row]:
    """A batch through the dump, the traced module and ONNX Runtime."""
    what, count, _ = TASKS[task]
    with ExitStack() as stack:
        workers = {
            way: stack.enter_context(
                Worker(
                    sys.executable, "shipped.py", way, task, str(batch), folder, ours=way != "onnxruntime", **variables
                )
            )
            for way in ("dump", "traced", "onnxruntime")
        }
        for worker in workers.values():
            np.testing.assert_allclose(worker.check, workers["traced"].check, rtol=1e-4)
        times = milliseconds(alternate(workers, rounds, 5 * count))
    name = f"{what}, batch {batch}: a dump's inference"
    yield compared(name, "traced, body skipped", times["dump"], times["traced"], "ms", 1.05)
    at_most = None if task == "resnet" else 1.0
    yield compared(name, "ONNX Runtime", times["dump"], times["onnxruntime"], "ms", at_most)


def milliseconds(times: dict[str, list[float]]) -> dict[str, list[float]]:
    """Of microseconds."""
    return {name: [t / 1000 for t in found] for name, found in times.items()}


def starts(task: str, folder: str, rounds: int) -> Iterator[Row]:
    """From the file to the first result, with and without a cache."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for name, way in (("onnxruntime", "onnxruntime"), ("cold", "dump"), ("second", "dump"), ("warm", "dump")):
                found.setdefault(name, []).append(start(way, task, folder, cache))
    what = f"{TASKS[task][0]}, batch {TASKS[task][2]}: dump to first result"
    yield alone(f"{what}, warm", median(found["warm"]), "s", 1.5)
    there = median(found["onnxruntime"])
    yield alone(f"{what}, cold, beyond ONNX Runtime's {there:.2f} s", median(found["cold"]) - there, "s", 0.5)


def start(way: str, task: str, folder: str, cache: str) -> float:
    """Seconds in a process of its own."""
    command = [sys.executable, str(PROGRAMS / "first_result.py"), way, str(Path(folder) / task)]
    variables = environment(way == "dump", MEGENGINE_CACHE_DIR=cache)
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure what the command line names, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shipping", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*TASKS, []], help="default all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--one-core", action="store_true", help="the time of one core, for steps and inference")
    parser.add_argument("--only", choices=PARTS, help="default all")
    given = parser.parse_args()
    print(HEADER, flush=True)
    variables = {"ONE_CORE": "1"} if given.one_core else {}
    for row in rows(given.names or TASKS, given.rounds, [given.only] if given.only else PARTS, **variables):
        print(row, flush=True)


if __name__ == "__main__":
    main()
