"""Seeds of the random draws in workers: one a pass, and of it one a batch, so that workers and their number do not matter."""

from __future__ import annotations

import os
import random
import sys

import numpy as np

__all__ = ["draw_pass_seed", "seed_batch", "seed_generators"]

_MASK = (1 << 64) - 1


def draw_pass_seed() -> int:
    """The seed of a loader's next pass: the next number of a stream that ``megengine.random.seed`` restarts.

    Returns:
        An integer of 31 bits.

    Example:
        >>> megengine.random.seed(5)
        >>> first, second = draw_pass_seed(), draw_pass_seed()
        >>> megengine.random.seed(5)
        >>> (draw_pass_seed(), draw_pass_seed()) == (first, second) and first != second
        True
    """
    generators = sys.modules.get("megengine.random.rng")
    if generators is None:  # only this package was imported, so nothing was seeded
        return int.from_bytes(os.urandom(4), "little") >> 1
    high, low = generators.draw_on_host("data", 2)
    return int(high * 2**16) % 2**16 << 15 | int(low * 2**15) % 2**15


def seed_batch(seed: int, number: int) -> None:
    """Seeds the generators for one batch of a pass.

    Args:
        seed: the pass's seed.
        number: which batch of it, from 0.

    Example:
        >>> state = np.random.get_state()
        >>> seed_batch(7, 3)
        >>> drawn = np.random.random()
        >>> seed_batch(7, 3)
        >>> np.random.random() == drawn
        True
        >>> np.random.set_state(state)
    """
    seed_generators(_mixed(seed << 32 | number))


def _mixed(value: int) -> int:
    """64 bits that differ everywhere for neighbouring values (the finaliser of SplitMix64, Steele et al., 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31


def seed_generators(seed: int) -> None:
    """Seeds the global generators of NumPy, of ``random`` and, where it is loaded, of PyTorch.

    Args:
        seed: at least 0; NumPy takes its lower 32 bits.
    """
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002 - transforms draw from it, as MegEngine's do
    random.seed(seed)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)
