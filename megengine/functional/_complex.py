"""Complex numbers: made of their parts, and taken apart."""

from __future__ import annotations

from ..graph.apply import apply
from ..ops import elemwise
from ..tensor import Tensor


def complex(real: Tensor | float, imag: Tensor | float) -> Tensor:
    """Complex numbers from real and imaginary parts.

    Args:
        real: real parts.
        imag: imaginary parts.

    Returns:
        complex64 tensor.

    Example:
        >>> F.complex(Tensor([1.0]), Tensor([2.0])).numpy()
        array([1.+2.j], dtype=complex64)
    """
    return apply(elemwise.complex, real, imag)


def polar(abs: Tensor | float, angle: Tensor | float) -> Tensor:
    """Complex numbers from absolute values and angles.

    Args:
        abs: absolute values.
        angle: angles in radians.

    Returns:
        complex64 tensor.

    Example:
        >>> F.polar(Tensor([2.0]), Tensor([0.0])).numpy()
        array([2.+0.j], dtype=complex64)
    """
    return apply(elemwise.polar, abs, angle)


def real(complex: Tensor) -> Tensor:
    """Real parts.

    Args:
        complex: complex numbers.

    Example:
        >>> F.real(F.complex(Tensor([1.0]), Tensor([2.0])))
        Tensor([1.], device=xpux:0)
    """
    return apply(elemwise.real, complex)


def imag(complex: Tensor) -> Tensor:
    """Imaginary parts.

    Args:
        complex: complex numbers.

    Example:
        >>> F.imag(F.complex(Tensor([1.0]), Tensor([2.0])))
        Tensor([2.], device=xpux:0)
    """
    return apply(elemwise.imag, complex)
