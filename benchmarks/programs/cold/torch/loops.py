"""Programs of small things whose shape or length changes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as tf
from torch import nn

from cold.data import images, labels
from cold.torch.training import trainer


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 1)
        self.head = nn.Linear(32 * 64, 10)

    def forward(self, x):
        return self.head(torch.relu(self.conv2(torch.relu(self.conv1(x)))).flatten(1))


def batches(small):
    """Training with batches of 1 to 60 images."""
    model = Small()
    train = trainer(torch.optim.SGD(model.parameters(), lr=0.01), lambda x, y: tf.cross_entropy(model(x), y))

    def step(number):
        size = 1 + number % 60
        return train(
            torch.from_numpy(images(number, (size, 3, 32, 32))), torch.from_numpy(labels(number, size, 10)).long()
        )

    return model, step


def turns(small):
    """A loop of 50 to 89 turns."""

    def step(number):
        x = torch.from_numpy(np.linspace(-1, 1, 1000, dtype=np.float32))
        for _ in range(50 + number % 40):
            x = torch.clip(x * 1.02 - 0.01, -1.0, 1.0)
        return x.mean().item()

    return None, step


def chain(small):
    """300 values, each made from the one before, all of them kept."""

    def step(number):
        x, kept = torch.full((16,), float(number)), []
        for _ in range(300):
            x = x * 0.99 + 1
            kept.append(x)
        return float(torch.stack(kept).numpy().mean())

    return None, step
