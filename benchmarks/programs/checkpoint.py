"""One operation on a checkpoint of about 400 MB, in a process of its own: median seconds and peak memory as JSON.

    checkpoint.py CONTENDER save|load FILE

The state is that of a transformer of 12 layers. Peak memory is what the resident set's peak grew by, as a multiple of the state.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 5  # of loading; the first touches memory that the machine may have to find
LAYER = {
    "attention.in": (768, 2304), "attention.in_bias": (2304,), "attention.out": (768, 768), "attention.out_bias": (768,),
    "mlp.in": (768, 3072), "mlp.in_bias": (3072,), "mlp.out": (3072, 768), "mlp.out_bias": (768,),
    "norm1.weight": (768,), "norm1.bias": (768,), "norm2.weight": (768,), "norm2.bias": (768,),
}  # fmt: skip
SHAPES = {
    "embedding": (20_000, 768),
    **{f"layers.{i}.{name}": shape for i in range(12) for name, shape in LAYER.items()},
}


def state() -> dict[str, np.ndarray]:
    """The arrays to save."""
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in SHAPES.items()}


def megengine_arrays() -> tuple[Any, Callable[[str], Any], Callable[[Any, str], None]]:
    import megengine

    return state(), megengine.load, megengine.save


def megengine_tensors() -> tuple[Any, Callable[[str], Any], Callable[[Any, str], None]]:
    import megengine

    return {name: megengine.Tensor(array) for name, array in state().items()}, megengine.load, megengine.save


def numpy_npz() -> tuple[Any, Callable[[str], Any], Callable[[Any, str], None]]:
    def load(path: str) -> dict[str, np.ndarray]:
        with np.load(path) as archive:
            return dict(archive)

    return state(), load, lambda arrays, path: np.savez(path, **arrays)


def torch_tensors() -> tuple[Any, Callable[[str], Any], Callable[[Any, str], None]]:
    import torch

    return {name: torch.from_numpy(array) for name, array in state().items()}, torch.load, torch.save


def plain_bytes() -> tuple[Any, Callable[[str], Any], Callable[[Any, str], None]]:
    def load(path: str) -> np.ndarray:
        buffer = np.empty(os.path.getsize(path), np.uint8)
        with open(path, "rb") as file:
            file.readinto(buffer)
        return buffer

    def save(arrays: dict[str, np.ndarray], path: str) -> None:
        with open(path, "wb") as file:
            for array in arrays.values():
                file.write(array.data)
            os.fsync(file.fileno())

    return state(), load, save


CONTENDERS = {
    "arrays": megengine_arrays,
    "tensors": megengine_tensors,
    "numpy": numpy_npz,
    "torch": torch_tensors,
    "plain": plain_bytes,
}


def main() -> None:
    contender, operation, path = sys.argv[1:]
    globals()["SHAPES"], shapes = {"small": (3,)}, SHAPES
    small, load, save = CONTENDERS[contender]()
    beside = str(Path(path).with_name(f"small.{os.getpid()}{Path(path).suffix}"))
    save(small, beside)  # imports what is imported when first used
    load(beside)
    os.unlink(beside)
    globals()["SHAPES"] = shapes
    size = 4 * sum(int(np.prod(shape)) for shape in shapes.values())
    full = CONTENDERS[contender]()[0] if operation == "save" else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(REPEATS if operation == "load" else 1):
        started = time.perf_counter()
        kept = load(path) if operation == "load" else save(full, path)
        times.append(time.perf_counter() - started)
        del kept
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / size
    print(json.dumps({"seconds": statistics.median(times), "peak": peak, "bytes": size}))


if __name__ == "__main__":
    main()
