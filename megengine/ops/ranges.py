"""What becomes of a Python int that the integer dtype it meets does not hold, as rules that an op names.

A rule takes the int, the dtype and the operand's position, and returns the number that gives the exact result instead, or None
where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

RangeRule = Callable[[int, np.dtype, int], "int | float | None"]


def wraps(value: int, dtype: np.dtype, position: int) -> int | None:
    """``+ - *`` are computed modulo 2^32 in any case, of ints that 64 bits hold."""
    if not -(1 << 63) <= value < 1 << 64:
        return None
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def compares(value: int, dtype: np.dtype, position: int) -> float:
    """Larger, or smaller, than every element."""
    return math.inf if value > 0 else -math.inf


def bounds_below(value: int, dtype: np.dtype, position: int) -> int | None:
    """A lower bound under every element bounds nothing."""
    lowest = int(np.iinfo(dtype).min)
    return lowest if value < lowest else None


def bounds_above(value: int, dtype: np.dtype, position: int) -> int | None:
    """An upper bound over every element bounds nothing."""
    highest = int(np.iinfo(dtype).max)
    return highest if value > highest else None


def bounds(value: int, dtype: np.dtype, position: int) -> int | None:
    """The operands of ``clip``: what is clipped, a lower and an upper bound."""
    if position == 0:
        return None
    return (bounds_below if position == 1 else bounds_above)(value, dtype, position)
