"""Training steps on a GPU against PyTorch, eager and compiled, and against hand-written JAX; within ten minutes.

    python -m benchmarks.gpu [names] [--torch PYTHON] [--precision P] [--layout L] [--tiny]

With ``--tiny`` the networks are small enough for a CPU, to see whether everything works.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from .contenders import Worker, alternate
from .results import HEADER, Row, alone, compared

NETWORKS = {
    "resnet50": "ResNet-50, batch 64 of 224 x 224",
    "transformer": "a transformer, 12 layers of 768, batch 32 of 512",
    "tutorial": "the tutorial's network, batch 64",
}
PRECISIONS = ("float32", "tf32", "bf16")
LAYOUTS = ("default", "channels_last")
NAMES = {"torch": "PyTorch", "compile": "torch.compile", "jax": "JAX by hand"}
ROUNDS, STEPS = 7, 10
SECONDS = 540  # then no more networks are begun
# How far losses of the first three steps may differ: sums are taken in other orders, and products rounded in other places.
CLOSE = {"float32": 1e-3, "tf32": 2e-2, "bf16": 1e-1}


def contenders(given: argparse.Namespace, network: str) -> Iterator[tuple[str, Worker]]:
    """Each in a process of its own, one after the other begun."""
    how = network, "tiny" if given.tiny else "full", given.precision, given.layout
    variables = {"JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32" if given.precision == "tf32" else "float32"}
    with tempfile.TemporaryDirectory() as cache:
        ours = {"MEGENGINE_CACHE_DIR": cache, **variables}
        yield "ours", Worker(sys.executable, "gpu_layers.py", "megengine", *how, ours=True, **ours)
    # Beside others, JAX must not take the GPU's memory for itself.
    yield "jax", Worker(sys.executable, "gpu_jax.py", *how, XLA_PYTHON_CLIENT_PREALLOCATE="false", **variables)
    for side in ("torch", "compile") if given.torch else ():
        yield side, Worker(given.torch, "gpu_layers.py", side, *how)


def measure(given: argparse.Namespace, network: str) -> list[Row]:
    """The lines of one network."""
    rounds, steps = (2, 1) if given.tiny else (ROUNDS, STEPS)
    with ExitStack() as stack:
        workers = {who: stack.enter_context(worker) for who, worker in contenders(given, network)}
        wanted = workers["ours"].check["losses"]
        for who, worker in workers.items():
            np.testing.assert_allclose(worker.check["losses"], wanted, rtol=CLOSE[given.precision], err_msg=who)
        times = alternate(workers, rounds, steps)
    ms = {who: [t / 1000 for t in ts] for who, ts in times.items()}
    what = f"{f'{network}, tiny' if given.tiny else NETWORKS[network]}, {given.precision}, {given.layout}"
    others = [compared(what, NAMES[who], ms["ours"], ms[who], "ms", 1.0) for who in ms if who != "ours"]
    return others or [alone(what, statistics.median(ms["ours"]), "ms")]


def main(argv: list[str] | None = None) -> None:
    """Measure what the command line names, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], help="default all")
    parser.add_argument("--torch", metavar="PYTHON", help="interpreter with PyTorch")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--layout", choices=LAYOUTS, default="default", help="of PyTorch's and JAX's arrays")
    parser.add_argument("--tiny", action="store_true", help="networks for a CPU")
    given = parser.parse_args(argv)
    started = time.monotonic()
    print(HEADER, flush=True)
    for name in given.names or NETWORKS:
        if time.monotonic() - started > SECONDS:
            print(f"{name}: left out, ten minutes are over", file=sys.stderr)
            continue
        for row in measure(given, name):
            print(row, flush=True)


if __name__ == "__main__":
    main()
