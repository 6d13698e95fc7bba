"""A residual network on colour pictures of CIFAR-10's size, which are made up, in float32 and as networks of 8-bit integers.

    python examples/quantize_colour.py [--epochs 3]

Prints what examples/quantize.py prints.
"""

from __future__ import annotations

import argparse

import numpy as np
from quantize import Arrays, compare

import megengine as mge
import megengine.functional as F
import megengine.module as M


class Colour(M.Module):
    """Two residual blocks for colour pictures of 32 x 32."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = M.QuantStub(), M.DequantStub()
        self.first = M.ConvBnRelu2d(3, 16, 3, stride=2, padding=1)
        self.second, self.third = M.ConvBnRelu2d(16, 16, 3, padding=1), M.ConvBn2d(16, 16, 3, padding=1)
        self.join = M.Elemwise("fuse_add_relu")
        self.widen = M.ConvBnRelu2d(16, 32, 3, stride=2, padding=1)
        self.fourth, self.fifth = M.ConvBnRelu2d(32, 32, 3, padding=1), M.ConvBn2d(32, 32, 3, padding=1)
        self.join2 = M.Elemwise("fuse_add_relu")
        self.classifier = M.Linear(32, 10)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        x = self.first(self.quant(x))
        x = self.widen(self.join(self.third(self.second(x)), x))
        x = self.join2(self.fifth(self.fourth(x)), x)
        return self.dequant(self.classifier(F.flatten(F.avg_pool2d(x, 8), 1)))


def colour_pictures(count: int, seed: int) -> Arrays:
    """Made-up pictures of CIFAR-10's size: one of ten patterns, moved, darker or brighter, and under noise."""
    patterns = np.kron(np.random.default_rng(7).normal(size=(10, 3, 8, 8)), np.ones((4, 4)))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    moved = (np.roll(patterns[k], rng.integers(-6, 7, 2), (1, 2)) * rng.uniform(0.2, 1.2) for k in labels)
    noise = rng.normal(0, 1.5, (count, 3, 32, 32))
    return np.clip(np.stack([*moved]) + noise, -4, 4).astype(np.float32) / 4, labels.astype(np.int32)


def main() -> None:
    parser = argparse.ArgumentParser(description="Quantize a network for colour pictures.")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    compare([Colour], colour_pictures(6000, 0), colour_pictures(5000, 1), options.epochs)


if __name__ == "__main__":
    main()
