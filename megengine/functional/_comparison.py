"""Comparisons, tests of numbers, logic and shifts; none of them has a gradient."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..graph.apply import apply
from ..ops import elemwise as ops
from ..ops.op import Op
from ..tensor import Tensor

_NUMBERS = (bool, int, float)


def _compared(op: Op, compare: Callable[[Any, Any], bool], x: Tensor | float, y: Tensor | float) -> Tensor:
    """The op, of numbers of Python's their own answer, as in MegEngine."""
    if isinstance(x, _NUMBERS) and isinstance(y, _NUMBERS):
        return compare(x, y)  # type: ignore[return-value]
    return apply(op, x, y)


def equal(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Element-wise ``x == y``, as bools.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.equal(Tensor([1, 2, 3]), 2)
        Tensor([False  True False], dtype=bool, device=xpux:0)
    """
    return _compared(ops.equal, operator.eq, x, y)


def not_equal(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Element-wise ``x != y``, as bools.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.not_equal(Tensor([1, 2, 3]), 2)
        Tensor([ True False  True], dtype=bool, device=xpux:0)
    """
    return _compared(ops.not_equal, operator.ne, x, y)


def less(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Element-wise ``x < y``, as bools.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.less(Tensor([1, 2, 3]), 2)
        Tensor([ True False False], dtype=bool, device=xpux:0)
    """
    return _compared(ops.less, operator.lt, x, y)


def less_equal(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Element-wise ``x <= y``, as bools.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.less_equal(Tensor([1, 2, 3]), 2)
        Tensor([ True  True False], dtype=bool, device=xpux:0)
    """
    return _compared(ops.less_equal, operator.le, x, y)


def greater(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Element-wise ``x > y``, as bools.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.greater(Tensor([1, 2, 3]), 2)
        Tensor([False False  True], dtype=bool, device=xpux:0)
    """
    return _compared(ops.greater, operator.gt, x, y)


def greater_equal(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Element-wise ``x >= y``, as bools.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.greater_equal(Tensor([1, 2, 3]), 2)
        Tensor([False  True  True], dtype=bool, device=xpux:0)
    """
    return _compared(ops.greater_equal, operator.ge, x, y)


def logical_and(x: Tensor | bool, y: Tensor | bool) -> Tensor:
    """Logical and of bools.

    Args:
        x: bools.
        y: bools.

    Raises:
        RuntimeError: an operand is not bool.

    Example:
        >>> F.logical_and(Tensor([True, True, False, False]), Tensor([True, False, True, False]))
        Tensor([ True False False False], dtype=bool, device=xpux:0)
    """
    return apply(ops.logical_and, x, y)


def logical_or(x: Tensor | bool, y: Tensor | bool) -> Tensor:
    """Logical or of bools.

    Args:
        x: bools.
        y: bools.

    Raises:
        RuntimeError: an operand is not bool.

    Example:
        >>> F.logical_or(Tensor([True, True, False, False]), Tensor([True, False, True, False]))
        Tensor([ True  True  True False], dtype=bool, device=xpux:0)
    """
    return apply(ops.logical_or, x, y)


def logical_xor(x: Tensor | bool, y: Tensor | bool) -> Tensor:
    """Logical exclusive or of bools.

    Args:
        x: bools.
        y: bools.

    Raises:
        RuntimeError: an operand is not bool.

    Example:
        >>> F.logical_xor(Tensor([True, True, False, False]), Tensor([True, False, True, False]))
        Tensor([False  True  True False], dtype=bool, device=xpux:0)
    """
    return apply(ops.logical_xor, x, y)


def logical_not(x: Tensor | bool) -> Tensor:
    """Logical not of bools.

    Args:
        x: bools.

    Raises:
        RuntimeError: ``x`` is not bool.

    Example:
        >>> F.logical_not(Tensor([True, False]))
        Tensor([False  True], dtype=bool, device=xpux:0)
    """
    return apply(ops.logical_not, x)


def left_shift(x: Tensor | int, y: Tensor | int) -> Tensor:
    """Bitwise left shift, ``x * 2**y``.

    Args:
        x: integers.
        y: how many places.

    Raises:
        RuntimeError: an operand is not an integer.

    Example:
        >>> F.left_shift(Tensor([1, 2]), 3)
        Tensor([ 8 16], dtype=int32, device=xpux:0)
    """
    return apply(ops.left_shift, x, y)


def right_shift(x: Tensor | int, y: Tensor | int) -> Tensor:
    """Bitwise right shift, ``floor(x / 2**y)``.

    Args:
        x: integers.
        y: how many places.

    Raises:
        RuntimeError: an operand is not an integer.

    Example:
        >>> F.right_shift(Tensor([8, 17]), 3)
        Tensor([1 2], dtype=int32, device=xpux:0)
    """
    return apply(ops.right_shift, x, y)


def isnan(inp: Tensor) -> Tensor:
    """Whether each element is NaN; integers and bools never are.

    Args:
        inp: input.

    Example:
        >>> F.isnan(Tensor([1.0, float("nan")]))
        Tensor([False  True], dtype=bool, device=xpux:0)
    """
    return apply(ops.isnan, inp)


def isinf(inp: Tensor) -> Tensor:
    """Whether each element is infinite; integers and bools never are.

    Args:
        inp: input.

    Example:
        >>> F.isinf(Tensor([1.0, float("-inf")]))
        Tensor([False  True], dtype=bool, device=xpux:0)
    """
    return apply(ops.isinf, inp)
