"""Settings within their ranges: probabilities, sizes, factors, whatever a constructor or function takes as a number."""

from __future__ import annotations

import math
import operator
from typing import Any


class RangeError(ValueError, AssertionError, RuntimeError, TypeError):
    """A setting that is out of its range; where MegEngine refuses one, it raises now the one, now the other base."""


def within(
    name: str, value: Any, least: float = -math.inf, most: float = math.inf, *, above: bool = False, below: bool = False
) -> Any:
    """A setting, if it is a number from ``least`` to ``most``.

    Args:
        name: what the error calls it.
        value: the setting, a number of Python's or NumPy's, or anything of one element that compares with numbers.
        least, most: the ends of the range.
        above, below: leave out the lower and the upper end.

    Returns:
        The setting as it is.

    Raises:
        RangeError: it is out of the range, NaN, or no number.

    Example:
        >>> from megengine._help.ranges import within
        >>> within("prob", 0.5, 0, 1)
        0.5
        >>> within("prob", 3, 0, 1)
        Traceback (most recent call last):
        ...
        megengine._help.ranges.RangeError: prob must be from 0 to 1, not 3
    """
    try:
        fits = least <= value <= most and not (above and value == least) and not (below and value == most)
    except (TypeError, ValueError):
        fits = False  # not to be compared with numbers, or not one number
    if not fits:
        raise RangeError(f"{name} must be {_words(least, most, above, below)}, not {value!r}")
    return value


def number(
    name: str, value: Any, least: float = -math.inf, most: float = math.inf, *, above: bool = False, below: bool = False
) -> float:
    """A setting as :func:`within` takes it, as a float: what is given may be an array or a tensor of one element."""
    found = within(name, value, least, most, above=above, below=below)
    return float(found.item() if hasattr(found, "item") else found)


def integer(name: str, value: Any, least: int) -> int:
    """A setting, if it is an integer of at least ``least``.

    Args:
        name: what the error calls it.
        value: the setting.
        least: the lower end of the range.

    Raises:
        TypeError: it is no integer.
        ValueError: it is less.

    Example:
        >>> from megengine._help.ranges import integer
        >>> integer("in_features", np.int64(3), 1)
        3
    """
    try:
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if size < least:
        raise ValueError(f"{name} must be at least {least}, got {size}")
    return size


def _words(least: float, most: float, above: bool, below: bool) -> str:
    lower = f"{'above' if above else 'at least'} {least:g}"
    upper = f"{'below' if below else 'at most'} {most:g}"
    if most == math.inf:
        return "a number" if least == -math.inf else lower
    if least == -math.inf:
        return upper
    return f"{lower} and {upper}" if above or below else f"from {least:g} to {most:g}"
