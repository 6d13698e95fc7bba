"""MegEngine's CPU stream, Xoroshiro128+ (Blackman and Vigna, 2016 parameters: 55, 14, 36), in NumPy on the host.

Large draws are cut into blocks of consecutive steps that run side by side, each from a state jumped ahead to.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from .gf2 import combine, jump_coefficients

_MASK = 0xFFFFFFFFFFFFFFFF
# Characteristic polynomial of one step of the 128-bit state, as a linear map over GF(2).
_CHARACTERISTIC = 0x1_00653CED_7F29F88A_5FD66762_F0E1C001
_BLOCK_LOG2 = 6
_BLOCK = 1 << _BLOCK_LOG2
_MAX_BLOCKS = 2048
# Below this many, stepping in Python is the faster way.
_MIN_BLOCKS = 16


class Xoroshiro128:
    """One stream of MegEngine's CPU generator; every draw goes on where the one before ended.

    Args:
        seed: the seed, 0 <= seed < 2**64.

    Raises:
        ValueError: the seed is not in that range.

    Example:
        >>> print(Xoroshiro128(20200325).normal(3).round(4))
        [-0.1655  0.2488  0.6178]
    """

    def __init__(self, seed: int) -> None:
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"seed must be at least 0 and below 2**64, got {seed}")
        self._state = (_splitmix(seed, 1), _splitmix(seed, 2))

    def uniform(self, n: int) -> np.ndarray:
        """Draw n numbers, evenly distributed over (0, 1], one step each.

        Args:
            n: how many to draw.

        Returns:
            float32 of shape (n,), multiples of ``2**-23``.

        Example:
            >>> print(Xoroshiro128(0).uniform(2).shape)
            (2,)
        """
        out = np.empty(n, np.float32)
        for start, words in self._chunks(n):
            out[start : start + len(words)] = _to_unit(words)
        return out

    def normal(self, n: int, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
        """Draw n normally distributed numbers by the transform of Box and Muller (1958), two steps for every two.

        ``r cos t + mean`` and ``r sin t + mean``, where ``r = std sqrt(-2 ln u)`` and ``t = 2 pi v`` of two uniform
        numbers u and v. An odd last element takes two steps too, and keeps the cosine. Logarithm, cosine and sine are
        rounded to float32 once, from float64, so results do not depend on the platform's mathematical library.

        Args:
            n: how many to draw.
            mean: the mean. Default: 0.
            std: the standard deviation. Default: 1.

        Returns:
            float32 of shape (n,).

        Example:
            >>> print(Xoroshiro128(20200325).normal(2, mean=10.0).round(3))
            [ 9.834 10.249]
        """
        out = np.empty(((n + 1) // 2, 2), np.float32)
        for start, words in self._chunks(n + n % 2):
            pairs = _to_unit(words).reshape(-1, 2).astype(np.float64)
            radius = np.float32(std) * np.sqrt(np.float32(-2) * np.log(pairs[:, 0]).astype(np.float32))
            angle = (2 * np.pi * pairs[:, 1]).astype(np.float32)
            cosine, sine = _cos_sin(angle)
            values = out[start // 2 : start // 2 + len(pairs)]
            values[:, 0] = radius * cosine + np.float32(mean)
            values[:, 1] = radius * sine + np.float32(mean)
        return out.reshape(-1)[:n]

    def permutation(self, n: int) -> np.ndarray:
        """Shuffle 0, 1, ..., n - 1 by the method of Fisher and Yates, one step for each but the first.

        Args:
            n: how many.

        Returns:
            int32 of shape (n,).

        Example:
            >>> sorted(Xoroshiro128(3).permutation(4).tolist())
            [0, 1, 2, 3]
        """
        partners: list[int] = []
        for start, words in self._chunks(max(n - 1, 0)):
            choices = np.arange(n - start, n - start - len(words), -1, dtype=np.uint64)
            partners += ((words & np.uint64(_MASK >> 1)) % choices).tolist()
        order = list(range(n))
        for i, partner in zip(range(n - 1, 0, -1), partners, strict=True):
            order[i], order[partner] = order[partner], order[i]
        return np.array(order, np.int32)

    def shuffle_indices(self, n: int) -> np.ndarray:
        """Draw the order in which a shuffle takes the n rows of its input: ``out[i] = inp[indices[i]]``.

        Args:
            n: how many rows.

        Returns:
            int32 of shape (n,), as :meth:`permutation` draws it.

        Example:
            >>> sorted(Xoroshiro128(3).shuffle_indices(3).tolist())
            [0, 1, 2]
        """
        return self.permutation(n)

    def _chunks(self, n: int) -> Iterator[tuple[int, np.ndarray]]:
        """The next n outputs, uint64, in pieces of even size but the last, each with the number of those before it."""
        done = 0
        while (n - done) // _BLOCK >= _MIN_BLOCKS:
            words = self._blocks(min((n - done) // _BLOCK, _MAX_BLOCKS))
            yield done, words
            done += len(words)
        words = np.empty(n - done, np.uint64)
        s0, s1 = self._state
        for i in range(len(words)):
            words[i] = s0 + s1 & _MASK
            s0, s1 = _step(s0, s1)
        self._state = (s0, s1)
        yield done, words

    def _blocks(self, count: int) -> np.ndarray:
        """The outputs of the next `count` blocks of steps."""
        successive = [self._state]
        for _ in range(127):
            successive.append(_step(*successive[-1]))
        starts = combine(_block_jumps()[: count + 1], np.array(successive, np.uint64))
        s0, s1 = np.ascontiguousarray(starts[:count].T)
        t, low = np.empty_like(s0), np.empty_like(s0)
        # A line is a little longer than needed, since columns a power of two apart would share few cache lines.
        steps = np.empty((_BLOCK, count + 8), np.uint64)[:, :count]
        for line in steps:
            np.add(s0, s1, out=line)
            np.bitwise_xor(s0, s1, out=t)
            np.right_shift(s0, 9, out=low)
            np.left_shift(s0, 55, out=s0)
            np.bitwise_or(s0, low, out=s0)
            np.bitwise_xor(s0, t, out=s0)
            np.left_shift(t, 14, out=low)
            np.bitwise_xor(s0, low, out=s0)
            np.right_shift(t, 28, out=low)
            np.left_shift(t, 36, out=s1)
            np.bitwise_or(s1, low, out=s1)
        self._state = (int(starts[count, 0]), int(starts[count, 1]))
        return steps.T.reshape(-1)


@functools.cache
def _block_jumps() -> np.ndarray:
    return jump_coefficients(_CHARACTERISTIC, _BLOCK_LOG2, _MAX_BLOCKS + 1)


def _splitmix(seed: int, n: int) -> int:
    """Output n of SplitMix64 (Steele, Lea and Flood, 2014), counted from 1."""
    z = seed + n * 0x9E3779B97F4A7C15 & _MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
    return z ^ z >> 31


def _step(s0: int, s1: int) -> tuple[int, int]:
    t = s0 ^ s1
    return (s0 << 55 & _MASK | s0 >> 9) ^ t ^ (t << 14 & _MASK), t << 36 & _MASK | t >> 28


def _to_unit(words: np.ndarray) -> np.ndarray:
    """2 minus the float32 from 1 to 2 whose fraction is the highest 23 bits."""
    bits = (words >> np.uint64(41)).astype(np.uint32) | np.uint32(0x3F800000)
    return np.float32(2) - bits.view(np.float32)


def _cos_sin(angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of float32 angles, from the tangent of their halves: it costs less than the two."""
    tangent = np.tan(angle.astype(np.float64) / 2)
    squared = tangent * tangent
    cosine, sine = (1 - squared) / (1 + squared), 2 * tangent / (1 + squared)
    return cosine.astype(np.float32), sine.astype(np.float32)
