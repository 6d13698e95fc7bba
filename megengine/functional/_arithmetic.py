"""Element-wise arithmetic: sums, powers, logarithms, rounding and bounds.

Operands broadcast against each other; Python numbers are arguments, so that changing them compiles nothing.
"""

from __future__ import annotations

from ..graph.apply import apply
from ..ops import elemwise as ops
from ..tensor import Tensor
from ..tensor.operators import divided, power


def add(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Sum ``x + y``.

    Args:
        x: first operand.
        y: second operand.

    Raises:
        RuntimeError: shapes do not broadcast, or dtypes do not mix (as two bools, or uint8 with int32).

    Example:
        >>> F.add(Tensor([1.0, 2.0]), 3)
        Tensor([4. 5.], device=xpux:0)
    """
    return apply(ops.add, x, y)


def sub(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Difference ``x - y``.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.sub(Tensor([1.0, 2.0]), 3)
        Tensor([-2. -1.], device=xpux:0)
    """
    return apply(ops.sub, x, y)


def mul(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Product ``x * y``.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.mul(Tensor([1.0, 2.0]), 3)
        Tensor([3. 6.], device=xpux:0)
    """
    return apply(ops.mul, x, y)


def div(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Quotient ``x / y``; integers give float32.

    Args:
        x: dividend.
        y: divisor; zero gives infinity or NaN.

    Example:
        >>> F.div(Tensor([1, 2]), 4)
        Tensor([0.25 0.5 ], device=xpux:0)
    """
    return apply(ops.div, x, y)


def floor_div(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Quotient rounded down, ``floor(x / y)``. It has no gradient.

    Args:
        x: dividend.
        y: divisor; the quotient of integers by an element that is 0 is 0.

    Raises:
        ZeroDivisionError: a tensor of integers by the number 0.

    Example:
        >>> F.floor_div(Tensor([5, -5]), 2)
        Tensor([ 2 -3], dtype=int32, device=xpux:0)
    """
    return divided(ops.floor_div, x, y)


def mod(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Remainder of ``x / y``: with the divisor's sign for integers, with the dividend's (C's ``fmod``) for floats.

    The divisor gets no gradient.

    Args:
        x: dividend.
        y: divisor; the remainder of integers by an element that is 0 is 0.

    Raises:
        ZeroDivisionError: a tensor of integers by the number 0.

    Example:
        >>> F.mod(Tensor([5, -5]), 3), F.mod(Tensor([5.0, -5.0]), 3)
        (Tensor([2 1], dtype=int32, device=xpux:0), Tensor([ 2. -2.], device=xpux:0))
    """
    return divided(ops.mod, x, y)


def neg(x: Tensor | float) -> Tensor:
    """Negative ``-x``.

    Args:
        x: numbers, not bools.

    Example:
        >>> F.neg(Tensor([1.0, -2.0]))
        Tensor([-1.  2.], device=xpux:0)
    """
    return apply(ops.neg, x)


def pow(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Power ``x ** y``; integers give float32.

    Args:
        x: base; negative only with whole exponents, otherwise NaN.
        y: exponent.

    Example:
        >>> F.pow(Tensor([1.0, 2.0, 3.0]), 2)
        Tensor([1. 4. 9.], device=xpux:0)
    """
    return power(x, y)


def abs(x: Tensor | float) -> Tensor:
    """Absolute value. Its derivative at 0 is -1, as in MegEngine.

    Args:
        x: numbers, not bools.

    Example:
        >>> F.abs(Tensor([1.0, -2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    return apply(ops.abs, x)


def square(x: Tensor | float) -> Tensor:
    """Square ``x * x``; integers stay integers.

    Args:
        x: numbers, not bools.

    Example:
        >>> F.square(Tensor([1, -2]))
        Tensor([1 4], dtype=int32, device=xpux:0)
    """
    return apply(ops.square, x)


def sqrt(x: Tensor | float) -> Tensor:
    """Square root; NaN below zero, and integers give float32.

    Args:
        x: numbers.

    Example:
        >>> F.sqrt(Tensor([4.0, 9.0]))
        Tensor([2. 3.], device=xpux:0)
    """
    return apply(ops.sqrt, x)


def exp(x: Tensor | float) -> Tensor:
    """Exponential ``e ** x``; integers give float32.

    Args:
        x: numbers.

    Example:
        >>> F.exp(Tensor([0.0, 1.0]))
        Tensor([1.     2.7183], device=xpux:0)
    """
    return apply(ops.exp, x)


def expm1(x: Tensor | float) -> Tensor:
    """Exponential less one, ``e ** x - 1``, exact for small ``x``.

    Args:
        x: numbers; integers give float32.

    Example:
        >>> F.expm1(Tensor([0.0, 1.0]))
        Tensor([0.     1.7183], device=xpux:0)
    """
    return apply(ops.expm1, x)


def log(x: Tensor | float) -> Tensor:
    """Natural logarithm; ``-inf`` at 0 and NaN below.

    Args:
        x: numbers; integers give float32.

    Example:
        >>> F.log(Tensor([1.0, 4.0]))
        Tensor([0.     1.3863], device=xpux:0)
    """
    return apply(ops.log, x)


def log1p(x: Tensor | float) -> Tensor:
    """Logarithm ``log(1 + x)``, exact for small ``x``.

    Args:
        x: numbers; integers give float32.

    Example:
        >>> F.log1p(Tensor([0.0, 3.0]))
        Tensor([0.     1.3863], device=xpux:0)
    """
    return apply(ops.log1p, x)


def logaddexp(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Logarithm of a sum of exponentials, ``log(exp(x) + exp(y))``, without overflow.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.logaddexp(Tensor([0.0, 100.0]), 0.0)
        Tensor([  0.6931 100.    ], device=xpux:0)
    """
    return apply(ops.logaddexp, x, y)


def round(x: Tensor | float) -> Tensor:
    """Rounding to the nearest whole number, halves away from zero. It has no gradient.

    Args:
        x: numbers; integers stay as they are.

    Example:
        >>> F.round(Tensor([0.5, 1.5, -2.5, 2.4]))
        Tensor([ 1.  2. -3.  2.], device=xpux:0)
    """
    return apply(ops.round, x)


def ceil(x: Tensor | float) -> Tensor:
    """Ceiling: the smallest whole number not below ``x``. It has no gradient.

    Args:
        x: numbers; integers stay as they are.

    Example:
        >>> F.ceil(Tensor([1.2, -1.2]))
        Tensor([ 2. -1.], device=xpux:0)
    """
    return apply(ops.ceil, x)


def floor(x: Tensor | float) -> Tensor:
    """Floor: the largest whole number not above ``x``. It has no gradient.

    Args:
        x: numbers; integers stay as they are.

    Example:
        >>> F.floor(Tensor([1.2, -1.2]))
        Tensor([ 1. -2.], device=xpux:0)
    """
    return apply(ops.floor, x)


def maximum(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Element-wise maximum. Where both are equal the gradient goes to ``x``.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.maximum(Tensor([1.0, 3.0]), 2)
        Tensor([2. 3.], device=xpux:0)
    """
    return apply(ops.maximum, x, y)


def minimum(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Element-wise minimum. Where both are equal the gradient goes to ``x``.

    Args:
        x: first operand.
        y: second operand.

    Example:
        >>> F.minimum(Tensor([1.0, 3.0]), 2)
        Tensor([1. 2.], device=xpux:0)
    """
    return apply(ops.minimum, x, y)


def clip(x: Tensor | float, lower: Tensor | float | None = None, upper: Tensor | float | None = None) -> Tensor:
    """Clipping to ``[lower, upper]``. The gradient passes inside and at both bounds.

    Args:
        x: numbers.
        lower: smallest value; None for no bound.
        upper: largest value; None for no bound.

    Raises:
        AssertionError: neither bound is given.

    Example:
        >>> F.clip(Tensor([-3.0, 0.5, 3.0]), -1, 1)
        Tensor([-1.   0.5  1. ], device=xpux:0)
    """
    if lower is None:
        if upper is None:
            raise AssertionError("clip: give lower, upper or both")
        return minimum(x, upper)
    return maximum(x, lower) if upper is None else apply(ops.clip, x, lower, upper)


def sign(x: Tensor | float) -> Tensor:
    """Sign of each element: -1, 0 or 1, and 0 of NaN. It has no gradient.

    Args:
        x: numbers, not bools.

    Example:
        >>> F.sign(Tensor([-2.0, 0.0, 3.0]))
        Tensor([-1.  0.  1.], device=xpux:0)
    """
    return apply(ops.sign, x)
