"""Weights, batches and a game, as arrays: the same for all contenders."""

from __future__ import annotations

import zlib

import numpy as np


def weight(name, shape):
    """The parameter of this name: matrices of small normals, ones for the scale of a norm, zeros for biases."""
    if max(shape) == np.prod(shape):  # a vector, whatever its dimensions
        return np.full(shape, 0.0 if "bias" in name else 1.0 if "norm" in name else 0.2, np.float32)
    random = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
    return (random.randn(*shape) * np.prod(shape[1:]) ** -0.5).astype(np.float32)


def images(number, shape):
    """A batch of images."""
    return np.random.RandomState(number).rand(*shape).astype(np.float32)


def labels(number, count, classes):
    """A label for each image."""
    return np.random.RandomState(number).randint(0, classes, count).astype(np.int32)


def sentences(number, count, words, shortest, longest):
    """Sentences of one random length, [length, count], and a label for each that its words tell."""
    random = np.random.RandomState(number)
    text = random.randint(0, words, (random.randint(shortest, longest + 1), count)).astype(np.int32)
    return text, (text.mean(0) > words / 2).astype(np.int32)


def boxes(number, count, size, most, classes):
    """For each image the boxes (centre and size) and classes of the objects in it, 1 to ``most`` of them."""
    random = np.random.RandomState(number)
    found = []
    for _ in range(count):
        extent = random.uniform(size / 8, size / 2, (random.randint(1, most + 1), 2))
        centre = random.uniform(extent / 2, size - extent / 2)
        kinds = random.randint(0, classes, len(extent)).astype(np.int32)
        found.append((np.concatenate([centre, extent], 1).astype(np.float32), kinds))
    return found


class Pole:
    """A pole on a cart that is pushed left or right; the episode ends when it has fallen, or after ``longest`` pushes."""

    def __init__(self, number, longest):
        self.random = np.random.RandomState(number)
        self.longest = longest
        self.state = self.random.uniform(-0.05, 0.05, 4)
        self.pushes = 0

    def observe(self):
        """Position, speed, angle and angular speed, as a batch of one."""
        return self.state[None].astype(np.float32)

    def push(self, probabilities):
        """Draw an action, act; the action, and whether the episode goes on."""
        action = int(self.random.rand() < probabilities[1])
        _, v, angle, turn = self.state
        pushed = ((10.0 if action else -10.0) + 0.05 * turn**2 * np.sin(angle)) / 1.1
        falling = (9.8 * np.sin(angle) - np.cos(angle) * pushed) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        carried = pushed - 0.05 * falling * np.cos(angle) / 1.1
        self.state = self.state + 0.02 * np.array([v, carried, turn, falling])
        self.pushes += 1
        return action, abs(self.state[0]) < 2.4 and abs(self.state[2]) < 0.21 and self.pushes < self.longest


def returns(length):
    """What each action of an episode led to, discounted and scaled: one point a push."""
    ahead = np.arange(length, 0, -1)
    found = (1 - 0.99**ahead) / 0.01
    return ((found - found.mean()) / (found.std() + 1e-6)).astype(np.float32)
