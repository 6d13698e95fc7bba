"""Strides, paddings, window sizes and modes as users write them, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ..graph.errors import ArgumentError
from ..tensor import Tensor
from ..tensor import axes as _axes


# The reference raises one or the other of these, depending on the function.
class SettingError(AssertionError, AttributeError, IndexError, TypeError, ValueError, RuntimeError):
    """A stride, padding, size or mode that a function does not take."""


def sizes(value: Any, count: int, what: str, least: int = 1) -> tuple[int, ...]:
    """``count`` ints from one for all dimensions, or one for each.

    Raises:
        SettingError: another number of them, or one less than ``least``.
        ArgumentError: something else than integers.
    """
    if type(value) is int:
        found: Sequence[int] = (value,) * count
    else:
        found = _axes.as_shape(value, what)
        if len(found) == 1 and not isinstance(value, (tuple, list)):
            found = found * count
    if len(found) != count or min(found) < least:
        each = f", or {count} of them" if count > 1 else ""
        raise SettingError(f"{what} must be an integer of at least {least}{each}, not {value!r}")
    return tuple(found)


def expand_hw(x: Any) -> tuple[int, int]:
    """Height and width from one number or a pair: functions copied from MegEngine's take their windows through it.

    Example:
        >>> F.nn.expand_hw(3), F.nn.expand_hw((3, 5))
        ((3, 3), (3, 5))
    """
    return (int(x[0]), int(x[1])) if isinstance(x, Sequence) else (int(x), int(x))


def expand_dhw(x: Any) -> tuple[int, int, int]:
    """Depth, height and width from one number or three.

    Example:
        >>> F.nn.expand_dhw(3), F.nn.expand_dhw((1, 3, 5))
        ((3, 3, 3), (1, 3, 5))
    """
    return (int(x[0]), int(x[1]), int(x[2])) if isinstance(x, Sequence) else (int(x), int(x), int(x))


def require_mode(value: Any, allowed: Sequence[str], what: str) -> str:
    """A mode's name in lower case; enumerations with such names are taken too.

    Raises:
        SettingError: a mode that is not among ``allowed``.
    """
    name = value if isinstance(value, str) else getattr(value, "name", value)
    if not isinstance(name, str) or name.lower() not in allowed:
        raise SettingError(f"{what} must be {' or '.join(map(repr, allowed))}, not {value!r}")
    return name.lower()


def require_dims(x: Tensor, ndim: int, what: str) -> None:
    """Refuse a tensor of another number of dimensions.

    Raises:
        AssertionError: naming its shape.
    """
    if len(x.shape) != ndim:
        raise AssertionError(f"{what} needs {ndim} dimensions, it has shape {x.shape}")


def padding(pad_width: Any, mode: str) -> tuple[str, list[tuple[int, ...]]]:
    """The mode of a padding under one name, and its widths as pairs.

    Raises:
        AssertionError: another mode.
        RuntimeError: something else than pairs of numbers from 0 on.
    """
    kind = {"edge": "replicate"}.get(mode.lower(), mode.lower())
    if kind not in ("constant", "replicate", "reflect"):
        raise AssertionError(f"pad: mode={mode!r}: write constant, edge, replicate or reflect")
    if not isinstance(pad_width, Iterable):
        raise RuntimeError(f"pad: pad_width must be a pair of numbers for each dimension, such as ((1, 1),), not {pad_width}")
    widths = [_axes.as_shape(pair, "pad_width") for pair in pad_width]
    if any(len(pair) != 2 or min(pair) < 0 for pair in widths):
        raise RuntimeError(f"pad: pad_width must hold pairs of numbers from 0 on, not {pad_width}")
    return kind, widths


def whole_numbers(value: Any, what: str) -> tuple[int, ...]:
    """Sizes from a sequence, an array or a tensor; fractions are cut off, as in the reference."""
    if isinstance(value, Tensor):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        value = value.reshape(-1).tolist()
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise ArgumentError(f"{what} must be a sequence of numbers, not {value!r}")
    try:
        return tuple(int(n) for n in value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{what} must hold numbers, not {value!r}") from None


def two(value: Any, what: str) -> tuple[int, int]:
    """Height and width."""
    sizes = whole_numbers(value, what)
    if len(sizes) != 2:
        raise ArgumentError(f"{what} must be (height, width), not {value!r}")
    return sizes[0], sizes[1]


def one_or_two(value: Any, what: str) -> tuple[int, int]:
    """Height and width from one number or a pair."""
    return (int(value), int(value)) if isinstance(value, Integral) else two(value, what)
