"""Training tasks as arrays, so that the contenders train the same networks on the same batches."""

from __future__ import annotations

import time
import zlib

import numpy as np

MLP = {"features": 1024, "hidden": 2048, "classes": 1000, "batch": 64}
TRANSFORMER = {"layers": 6, "width": 256, "heads": 8, "length": 128, "batch": 8, "words": 1000}
LSTM = {"features": 256, "hidden": 256, "length": 64, "batch": 32, "classes": 10}
RESNET = {"depths": (2, 2, 2, 2), "classes": 1000, "batch": 16, "size": 64}
BATCHES = 8


def weight(name, shape):
    """The parameter of this name: ones for the scale of a norm, zeros for a bias, small normals otherwise."""
    if "norm" in name and name.endswith("weight"):
        return np.ones(shape, np.float32)
    if name.endswith("bias") or "bias_" in name:
        return np.zeros(shape, np.float32)
    random = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
    return (random.randn(*shape) * np.prod(shape[1:]) ** -0.5).astype(np.float32)


def batches(task):
    """Pairs of input and labels, for ever."""
    random = np.random.RandomState(0)
    made = []
    for _ in range(BATCHES):
        if task == "mlp":
            x = random.randn(MLP["batch"], MLP["features"]).astype(np.float32)
            y = random.randint(0, MLP["classes"], MLP["batch"])
        elif task == "transformer":
            words = random.randint(0, TRANSFORMER["words"], (TRANSFORMER["batch"], TRANSFORMER["length"] + 1))
            x, y = words[:, :-1].astype(np.int32), words[:, 1:].reshape(-1)
        elif task == "resnet":
            x = random.randn(RESNET["batch"], 3, RESNET["size"], RESNET["size"]).astype(np.float32)
            y = random.randint(0, RESNET["classes"], RESNET["batch"])
        else:
            x = random.randn(LSTM["length"], LSTM["batch"], LSTM["features"]).astype(np.float32)
            y = random.randint(0, LSTM["classes"], LSTM["batch"])
        made.append((x, y.astype(np.int32)))
    while True:
        yield from made


def first_losses(step, count=5):
    """The losses of the first steps, on which contenders must agree, and the seconds that the first three took."""
    started = time.perf_counter()
    losses = [step() for _ in range(3)]
    seconds = time.perf_counter() - started
    return {"losses": losses + [step() for _ in range(count - 3)], "seconds": seconds}
