"""Trigonometric and hyperbolic functions; integers give float32."""

from __future__ import annotations

from ..graph.apply import apply
from ..ops import elemwise as ops
from ..tensor import Tensor


def sin(x: Tensor | float) -> Tensor:
    """Sine of an angle in radians.

    Args:
        x: angles, radians.

    Example:
        >>> F.sin(Tensor([0.0, 1.0]))
        Tensor([0.     0.8415], device=xpux:0)
    """
    return apply(ops.sin, x)


def cos(x: Tensor | float) -> Tensor:
    """Cosine of an angle in radians.

    Args:
        x: angles, radians.

    Example:
        >>> F.cos(Tensor([0.0, 1.0]))
        Tensor([1.     0.5403], device=xpux:0)
    """
    return apply(ops.cos, x)


def tan(x: Tensor | float) -> Tensor:
    """Tangent of an angle in radians.

    Args:
        x: angles, radians.

    Example:
        >>> F.tan(Tensor([0.0, 1.0]))
        Tensor([0.     1.5574], device=xpux:0)
    """
    return apply(ops.tan, x)


def asin(x: Tensor | float) -> Tensor:
    """Angle in ``[-pi/2, pi/2]`` radians whose sine is ``x``.

    Args:
        x: numbers in [-1, 1]; NaN outside.

    Example:
        >>> F.asin(Tensor([0.0, 1.0]))
        Tensor([0.     1.5708], device=xpux:0)
    """
    return apply(ops.asin, x)


def acos(x: Tensor | float) -> Tensor:
    """Angle in ``[0, pi]`` radians whose cosine is ``x``.

    Args:
        x: numbers in [-1, 1]; NaN outside.

    Example:
        >>> F.acos(Tensor([0.0, 1.0]))
        Tensor([1.5708 0.    ], device=xpux:0)
    """
    return apply(ops.acos, x)


def atan(x: Tensor | float) -> Tensor:
    """Angle in ``[-pi/2, pi/2]`` radians whose tangent is ``x``; the result is float32, also of float16.

    Args:
        x: numbers.

    Example:
        >>> F.atan(Tensor([0.0, 1.0]))
        Tensor([0.     0.7854], device=xpux:0)
    """
    return apply(ops.atan, x)


def atan2(y: Tensor | float, x: Tensor | float) -> Tensor:
    """Angle of the point ``(x, y)`` in ``[-pi, pi]`` radians.

    Args:
        y: ordinates.
        x: abscissas.

    Example:
        >>> F.atan2(Tensor([1.0, -1.0]), Tensor([1.0, -1.0]))
        Tensor([ 0.7854 -2.3562], device=xpux:0)
    """
    return apply(ops.atan2, y, x)


def sinh(x: Tensor | float) -> Tensor:
    """Hyperbolic sine ``(e**x - e**-x) / 2``.

    Args:
        x: numbers.

    Example:
        >>> F.sinh(Tensor([0.0, 1.0]))
        Tensor([0.     1.1752], device=xpux:0)
    """
    return apply(ops.sinh, x)


def cosh(x: Tensor | float) -> Tensor:
    """Hyperbolic cosine ``(e**x + e**-x) / 2``.

    Args:
        x: numbers.

    Example:
        >>> F.cosh(Tensor([0.0, 1.0]))
        Tensor([1.     1.5431], device=xpux:0)
    """
    return apply(ops.cosh, x)


def tanh(x: Tensor | float) -> Tensor:
    """Hyperbolic tangent ``sinh(x) / cosh(x)``.

    Args:
        x: numbers.

    Example:
        >>> F.tanh(Tensor([0.0, 1.0]))
        Tensor([0.     0.7616], device=xpux:0)
    """
    return apply(ops.tanh, x)


def asinh(x: Tensor | float) -> Tensor:
    """Number whose hyperbolic sine is ``x``.

    Args:
        x: numbers.

    Example:
        >>> F.asinh(Tensor([0.0, 1.0]))
        Tensor([0.     0.8814], device=xpux:0)
    """
    return apply(ops.asinh, x)


def acosh(x: Tensor | float) -> Tensor:
    """Number not below 0 whose hyperbolic cosine is ``x``.

    Args:
        x: numbers from 1 on; NaN below.

    Example:
        >>> F.acosh(Tensor([1.0, 2.0]))
        Tensor([0.    1.317], device=xpux:0)
    """
    return apply(ops.acosh, x)


def atanh(x: Tensor | float) -> Tensor:
    """Number whose hyperbolic tangent is ``x``.

    Args:
        x: numbers in [-1, 1]; NaN outside.

    Example:
        >>> F.atanh(Tensor([0.0, 0.5]))
        Tensor([0.     0.5493], device=xpux:0)
    """
    return apply(ops.atanh, x)
