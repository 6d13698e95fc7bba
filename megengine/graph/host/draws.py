"""The XORWOW stream by NumPy: the same words as :mod:`megengine.ops.rng.xorwow` makes, and the same state after them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...ops.rng.xorwow import ANGLE, LANES, WEYL
from .rules import Equation, Run, rule

# Turns of all lanes at a time: their words stay in the cache until they are numbers.
ROUNDS = 8
Drawn = Iterator[tuple[int, list[np.ndarray]]]


class _Queue:
    """A stream's state while words are drawn: rows of generators, the oldest word first and the counter last."""

    def __init__(self, state: np.ndarray) -> None:
        self.rows = list(np.array(state, order="C"))

    @property
    def state(self) -> np.ndarray:
        return np.stack(self.rows)

    def turns(self, count: int, width: int) -> Drawn:
        """Words of so many turns, of ``width`` words each, in pieces: the number of turns before, and their first words, ..."""
        rounds, rest = divmod(count, LANES)
        for start in range(0, rounds, ROUNDS):
            some = min(ROUNDS, rounds - start)
            words = np.empty((width, some, LANES), np.uint32)
            for k in range(some):
                _step(self.rows, words[:, k])
            yield start * LANES, list(words.reshape(width, -1))
        if rest:
            used = [row[:rest].copy() for row in self.rows]
            words = np.empty((width, rest), np.uint32)
            _step(used, words)
            self.rows = [np.concatenate([row[rest:], end]) for row, end in zip(self.rows, used, strict=True)]
            yield rounds * LANES, list(words)


def _step(rows: list[np.ndarray], out: np.ndarray) -> None:
    """One turn of each generator, in place but for the order of the rows."""
    t, u = np.empty_like(rows[0]), np.empty_like(rows[0])
    counter = rows.pop()
    for words in out:
        oldest, newest = rows.pop(0), rows[-1]
        np.right_shift(oldest, 2, out=t)
        np.bitwise_xor(oldest, t, out=t)
        np.left_shift(t, 1, out=u)
        np.bitwise_xor(t, u, out=t)
        np.left_shift(newest, 4, out=u)
        np.bitwise_xor(newest, u, out=u)
        np.bitwise_xor(t, u, out=oldest)
        rows.append(oldest)
        np.add(counter, WEYL, out=counter)
        np.add(oldest, counter, out=words)
    rows.append(counter)


def _to_unit(words: np.ndarray) -> np.ndarray:
    unit = words.astype(np.float32)
    unit *= np.float32(2.0**-32)
    unit += np.float32(2.0**-33)
    return unit


def uniform(state: np.ndarray, n: int, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
    """Numbers evenly distributed over (low, high]."""
    queue = _Queue(state)
    out = np.empty(n, np.float32)
    low, width = np.float32(low), np.float32(high) - np.float32(low)
    for start, (words,) in queue.turns(n, 1):
        unit = _to_unit(words)
        # With one rounding, as XLA's fused product and sum have.
        out[start : start + len(unit)] = unit if (low, width) == (0, 1) else unit * np.float64(width) + np.float64(low)
    return queue.state, out


def normal(state: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of mean 0 and standard deviation 1."""
    queue = _Queue(state)
    out = np.empty(n, np.float32)
    if n % 2:
        ((_, pair),) = queue.turns(1, 2)
        _box_muller(pair, out[n - 1 :], out[:0])
    for start, pair in queue.turns(n // 2, 2):
        part = out[2 * start : 2 * (start + len(pair[0]))]
        _box_muller(pair, part[::2], part[1::2])
    return queue.state, out


def _box_muller(words: list[np.ndarray], sines: np.ndarray, cosines: np.ndarray) -> None:
    radius = _to_unit(words[0])
    np.log(radius, out=radius)
    radius *= np.float32(-2)
    np.sqrt(radius, out=radius)
    angle = words[1].astype(np.float32)
    angle *= ANGLE
    angle += ANGLE / 2
    turned = np.sin(angle)
    np.multiply(turned, radius, out=sines)
    if len(cosines):
        np.cos(angle, out=turned)
        np.multiply(turned, radius, out=cosines)


@rule("xorwow_uniform")
def _uniform(eqn: Equation) -> Run:
    n = eqn.params["n"]
    return lambda state, low, high: uniform(state, n, low, high)


@rule("xorwow_normal")
def _normal(eqn: Equation) -> Run:
    n = eqn.params["n"]
    return lambda state: normal(state, n)
