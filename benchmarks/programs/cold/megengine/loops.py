"""Programs of small things whose shape or length changes."""

from __future__ import annotations

import numpy as np

import megengine.functional as F
import megengine.module as M
from cold.data import images, labels
from cold.megengine.training import trainer
from megengine import Tensor
from megengine.optimizer import SGD


class Small(M.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = M.Conv2d(3, 16, 3, 2, 1), M.Conv2d(16, 32, 3, 2, 1)
        self.head = M.Linear(32 * 64, 10)

    def forward(self, x):
        return self.head(F.flatten(F.relu(self.conv2(F.relu(self.conv1(x)))), 1))


def batches(small):
    """Training with batches of 1 to 60 images."""
    model = Small()
    train = trainer(model, SGD(model.parameters(), lr=0.01), lambda x, y: F.nn.cross_entropy(model(x), y))

    def step(number):
        size = 1 + number % 60
        return train(Tensor(images(number, (size, 3, 32, 32))), Tensor(labels(number, size, 10)))

    return model, step


def turns(small):
    """A loop of 50 to 89 turns."""

    def step(number):
        x = Tensor(np.linspace(-1, 1, 1000, dtype=np.float32))
        for _ in range(50 + number % 40):
            x = F.clip(x * 1.02 - 0.01, -1.0, 1.0)
        return x.mean().item()

    return None, step


def chain(small):
    """300 values, each made from the one before, all of them kept."""

    def step(number):
        x, kept = Tensor(np.full((16,), number, np.float32)), []
        for _ in range(300):
            x = x * 0.99 + 1
            kept.append(x)
        return float(F.stack(kept).numpy().mean())

    return None, step
