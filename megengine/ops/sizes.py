"""Sizes of reshaped arrays, those without elements included."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any


def fill_in(shape: Sequence[int], target: Sequence[int]) -> tuple[int, ...] | None:
    """The target with its -1, of which it may have one, filled in; None where the sizes do not fit or leave open what it is.

    Beside a 0 it is what keeps the sizes that begin and end both shapes: an empty batch is as wide as any other.
    """
    full, size = list(target), prod(shape)
    if -1 in full:
        at = full.index(-1)
        full[at] = 1
        rest = prod(full)
        full[at] = size // rest if rest else _beside_zeros(list(shape), list(target))
    return tuple(full) if prod(full) == size and min(full, default=0) >= 0 else None


def _beside_zeros(old: list[int], new: list[int]) -> int:
    for end in (0, -1):
        while old and new and old[end] == new[end]:
            del old[end], new[end]
    rest = -prod(new)
    return prod(old) // rest if rest > 0 and prod(old) % rest == 0 else -1


def reshaped(x: Any, *target: int) -> Any:
    """``x.reshape(target)`` as :func:`fill_in` understands it."""
    return x.reshape(fill_in(x.shape, target) or target)


def unbroadcast(x: Any, shape: tuple[int, ...]) -> Any:
    """The sum of ``x`` over what an array of this shape was broadcast along: the transpose of broadcasting."""
    there = (1,) * (x.ndim - len(shape)) + shape
    axes = tuple(k for k, (n, m) in enumerate(zip(there, x.shape, strict=True)) if n != m)
    return x.sum(axes, keepdims=True, dtype=x.dtype).reshape(shape)
