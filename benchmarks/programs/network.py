"""The tutorial's network as arrays, so that every contender trains the same one on the same batches."""

from __future__ import annotations

import itertools

import numpy as np

FEATURES, HIDDEN, CLASSES, BATCH, LR = 784, 256, 10, 64, 0.01


def weights():
    """Weights of the two layers, stored (out, in) as MegEngine and PyTorch do; the biases are zero."""
    random = np.random.RandomState(0)
    shapes = (HIDDEN, FEATURES), (CLASSES, HIDDEN)
    return [(random.randn(*shape) * shape[1] ** -0.5).astype(np.float32) for shape in shapes]


def batches(count=16):
    """Images (64, 784) float32 and labels (64,) int32, again and again."""
    random = np.random.RandomState(1)
    images = random.randn(count, BATCH, FEATURES).astype(np.float32)
    labels = random.randint(0, CLASSES, (count, BATCH)).astype(np.int32)
    return itertools.cycle(list(zip(images, labels, strict=True)))


def first_losses(step, count=10):
    """The losses of the first steps: the contenders must agree on them."""
    return [step() for _ in range(count)]
