"""Linear algebra: products, inverses, decompositions and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._help.describe import plural
from .._help.ranges import within
from ..graph.apply import apply
from ..graph.errors import ArgumentError
from ..ops import linalg, reduce
from ..tensor import Tensor
from ..tensor import axes as _axes
from ..tensor.operators import matmul as _matmul
from ._args import require_tensor, tensor_of


def matmul(
    inp1: Tensor, inp2: Tensor, transpose_a: bool = False, transpose_b: bool = False, compute_mode: str = "default"
) -> Tensor:
    """Matrix product.

    Two vectors give their dot product; a vector beside a matrix counts as a row on the left and as a column on the right;
    leading dimensions are batches and broadcast.

    Args:
        inp1: ``(..., n, k)`` or ``(k,)``.
        inp2: ``(..., k, m)`` or ``(k,)``.
        transpose_a: swap the last two dimensions of ``inp1`` first.
        transpose_b: swap the last two dimensions of ``inp2`` first.
        compute_mode: accepted for compatibility; float16 products accumulate in float32 either way.

    Returns:
        ``(..., n, m)``, without ``n`` or ``m`` where a vector was.

    Raises:
        RuntimeError: shapes do not fit, or a vector beside a matrix is to be transposed.
        AssertionError: an operand without dimensions.

    Example:
        >>> F.matmul(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]))
        Tensor([3. 7.], device=xpux:0)
    """
    return _matmul(inp1, inp2, bool(transpose_a), bool(transpose_b))


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Einstein summation: products summed along dimensions named by letters, as by ``numpy.einsum``.

    Args:
        equation: the letters of each operand's dimensions with commas between them, and behind ``->`` those of the result,
            such as ``"bij,bjk->bik"``; without an arrow the letters that occur once, in alphabetical order. ``...`` stands
            for any dimensions, which broadcast.
        operands: one tensor for each group of letters.

    Raises:
        TypeError: the equation is not a str, or an operand not a tensor.
        RuntimeError: operands do not fit the equation.

    Example:
        >>> F.einsum("ij,ij->i", Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[1.0, 1.0], [2.0, 2.0]]))
        Tensor([ 3. 14.], device=xpux:0)
    """
    if not isinstance(equation, str):
        raise ArgumentError(f"einsum takes an equation first, not {equation!r}")
    for k, x in enumerate(operands):
        require_tensor(x, f"einsum: operand {k}")
    return apply(linalg.einsum, *operands, equation=equation)


def dot(inp1: Tensor, inp2: Tensor) -> Tensor:
    """Dot product of two vectors.

    Args:
        inp1: a vector or a scalar.
        inp2: a vector of the same length, or a scalar.

    Raises:
        AssertionError: an operand of two or more dimensions.
        RuntimeError: different lengths or dtypes.

    Example:
        >>> F.dot(Tensor([1.0, 2.0, 3.0]), Tensor([4.0, 5.0, 6.0]))
        Tensor(32.0, device=xpux:0)
    """
    inp1 = tensor_of(inp1)
    inp2 = tensor_of(inp2)
    if inp1.ndim > 1 or inp2.ndim > 1:
        raise AssertionError(f"dot takes vectors or scalars, not shapes {inp1.shape} and {inp2.shape}; see matmul")
    return apply(linalg.dot, inp1, inp2)


def cross(a: Tensor, b: Tensor, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """Cross product of vectors of three elements.

    Args:
        a: first vectors.
        b: second vectors, broadcasting with the first.
        axisa: dimension of ``a`` along which the vectors lie.
        axisb: that of ``b``.
        axisc: that of the result.
        axis: one number for all three.

    Raises:
        RuntimeError: vectors of other lengths, or no such dimension.

    Example:
        >>> F.cross(Tensor([1.0, 0.0, 0.0]), Tensor([0.0, 1.0, 0.0]))
        Tensor([0. 0. 1.], device=xpux:0)
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    return apply(linalg.cross, a, b, axes=(axisa, axisb, axisc))


def matinv(inp: Tensor) -> Tensor:
    """Inverse of square matrices.

    Args:
        inp: ``(..., n, n)``.

    Raises:
        RuntimeError: the last two dimensions differ.

    Example:
        >>> F.matinv(Tensor([[2.0, 0.0], [0.0, 4.0]]))
        Tensor([[0.5  0.  ]
         [0.   0.25]], device=xpux:0)
    """
    return apply(linalg.matinv, inp)


def svd(inp: Tensor, full_matrices: bool = False, compute_uv: bool = True) -> tuple[Tensor, Tensor, Tensor] | Tensor:
    """Singular value decomposition ``inp = U @ diag(S) @ Vh``.

    Args:
        inp: ``(..., m, n)``.
        full_matrices: ``U`` of ``(..., m, m)`` and ``Vh`` of ``(..., n, n)`` instead of ``(..., m, k)`` and ``(..., k, n)``
            with ``k = min(m, n)``.
        compute_uv: whether to compute ``U`` and ``Vh``.

    Returns:
        ``U``, ``S`` (largest first) and ``Vh``, or ``S`` alone.

    Raises:
        RuntimeError: fewer than two dimensions.

    Example:
        >>> F.svd(Tensor([[3.0, 0.0], [0.0, 2.0]]))[1]
        Tensor([3. 2.], device=xpux:0)
    """
    return apply(linalg.svd, inp, full_matrices=bool(full_matrices), compute_uv=bool(compute_uv))


def norm(
    inp: Tensor, ord: float | None = None, axis: int | Sequence[int] | None = None, keepdims: bool = False
) -> Tensor:
    """Vector norm ``sum(abs(x) ** ord) ** (1 / ord)``.

    Args:
        inp: input.
        ord: default 2; 0 counts what is not zero, ``inf`` and ``-inf`` give the largest and the smallest absolute value.
        axis: dimension (or dimensions) along which the vectors lie; may be left out for a vector only.
        keepdims: keep that dimension with size 1.

    Raises:
        TypeError: ``axis`` is left out for an input that is no vector.

    Example:
        >>> F.norm(Tensor([[3.0, 4.0], [6.0, 8.0]]), axis=1)
        Tensor([ 5. 10.], device=xpux:0)
    """
    inp = tensor_of(inp)
    return apply(reduce.norm, inp, **_which_norm("norm", inp, ord, axis), keepdims=bool(keepdims))


def normalize(
    inp: Tensor, ord: float | None = None, axis: int | Sequence[int] | None = None, eps: float = 1e-12
) -> Tensor:
    """Normalisation of vectors to norm 1, ``x / max(norm(x), eps)``.

    Args:
        inp: input.
        ord: which norm, see :func:`norm`.
        axis: dimension along which the vectors lie; may be left out for a vector only.
        eps: smallest divisor.

    Raises:
        TypeError: ``axis`` is left out for an input that is no vector.

    Example:
        >>> F.normalize(Tensor([3.0, 4.0]))
        Tensor([0.6 0.8], device=xpux:0)
    """
    inp = tensor_of(inp)
    within("eps", eps, 0)
    return apply(reduce.normalize, inp, eps, **_which_norm("normalize", inp, ord, axis))


def _which_norm(name: str, inp: Tensor, ord: float | None, axis: Any) -> dict[str, Any]:
    require_tensor(inp, "inp")
    if axis is None and inp.ndim != 1:
        raise TypeError(f"{name}: axis is needed for an input of {plural(inp.ndim, 'dimension')}, shape {inp.shape}")
    return {"ord": 2 if ord is None else within("ord", ord), "axis": _axes.reduction_axes(axis, inp.ndim, name)}
