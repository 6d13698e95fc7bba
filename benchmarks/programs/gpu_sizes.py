"""Networks of the GPU benchmark: sizes, weights and a batch, the same for all contenders."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

LR, MOMENTUM = 0.01, 0.9


class Size(NamedTuple):
    """How large a network and its batch are; ``width``, ``depths`` and ``length`` mean what the network makes of them."""

    batch: int
    width: int
    depths: tuple[int, ...]
    length: int
    classes: int
    heads: int = 1


SIZES = {
    ("resnet50", False): Size(64, 64, (3, 4, 6, 3), 224, 1000),
    ("resnet50", True): Size(2, 8, (1, 1), 32, 10),
    ("transformer", False): Size(32, 768, (12,), 512, 1000, 12),
    ("transformer", True): Size(2, 16, (2,), 8, 10, 2),
    ("tutorial", False): Size(64, 256, (), 784, 10),
    ("tutorial", True): Size(8, 16, (), 20, 10),
}


def batch(network: str, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels."""
    random = np.random.RandomState(0)
    shapes = {
        "resnet50": (size.batch, 3, size.length, size.length),
        "transformer": (size.batch, size.length, size.width),
        "tutorial": (size.batch, size.length),
    }
    x = random.randn(*shapes[network]).astype(np.float32)
    return x, random.randint(0, size.classes, size.batch).astype(np.int32)


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The first values of a parameter: ``(outputs, inputs, ...)`` at random, scales ones, shifts zeros."""
    if sum(n > 1 for n in shape) <= 1:  # a batch normalisation's may be (1, C, 1, 1)
        return np.full(shape, 1 if name.endswith("weight") else 0, np.float32)
    random = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
    return (random.randn(*shape) * np.prod(shape[1:]) ** -0.5).astype(np.float32)
