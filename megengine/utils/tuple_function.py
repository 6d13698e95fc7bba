"""Settings with one number for each spatial dimension."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any


def get_ndtuple(value: Any, *, n: int, allow_zero: bool = True) -> tuple[int, ...]:
    """A number for each of ``n`` dimensions.

    Args:
        value: ``n`` numbers, or one for all dimensions.
        n: how many.
        allow_zero: whether 0 is a value. Default: True

    Raises:
        AssertionError: another number of them, or one that is too small.

    Example:
        >>> from megengine.utils.tuple_function import get_ndtuple
        >>> get_ndtuple(3, n=2), get_ndtuple([1, 2], n=2)
        ((3, 3), (1, 2))
    """
    found = tuple(map(int, value)) if isinstance(value, Iterable) else (int(value),) * n
    if len(found) != n:
        raise AssertionError(f"{value!r} has {len(found)} numbers instead of {n}")
    least = 0 if allow_zero else 1
    if min(found) < least:
        raise AssertionError(f"{value!r} has a number below {least}")
    return found


_single = partial(get_ndtuple, n=1)
_pair = partial(get_ndtuple, n=2)
_pair_nonzero = partial(get_ndtuple, n=2, allow_zero=False)
_triple = partial(get_ndtuple, n=3)
_triple_nonzero = partial(get_ndtuple, n=3, allow_zero=False)
_quadruple = partial(get_ndtuple, n=4)
