"""Reductions, sorting, linear algebra and norms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .._help.describe import plural
from .._help.ranges import within
from ..graph.errors import ArgumentError
from ..graph.record import apply
from ..graph.together import reset_together
from ..ops import elemwise, linalg, optimize, reduce
from ..tensor import Tensor
from ..tensor import axes as _axes
from ..tensor.operators import matmul as _matmul
from ._args import require_tensor
from ._reductions import argmax, argmin, max, mean, min, prod, std, sum, var

__all__ = [
    "sum", "prod", "mean", "var", "std", "min", "max", "argmin", "argmax",
    "sort", "argsort", "topk", "sign", "isnan", "isinf",
    "matmul", "dot", "einsum", "matinv", "svd", "norm", "normalize",
]  # fmt: skip


def sign(x: Tensor | float) -> Tensor:
    """Sign of each element: -1, 0 or 1, and 0 of NaN. It has no gradient.

    Args:
        x: numbers, not bools.

    Example:
        >>> F.sign(Tensor([-2.0, 0.0, 3.0]))
        Tensor([-1.  0.  1.], device=xpux:0)
    """
    return apply(elemwise.sign, x)


def isnan(inp: Tensor) -> Tensor:
    """Whether each element is NaN; integers and bools never are.

    Args:
        inp: input.

    Example:
        >>> F.isnan(Tensor([1.0, float("nan")]))
        Tensor([False  True], dtype=bool, device=xpux:0)
    """
    return apply(elemwise.isnan, inp)


def isinf(inp: Tensor) -> Tensor:
    """Whether each element is infinite; integers and bools never are.

    Args:
        inp: input.

    Example:
        >>> F.isinf(Tensor([1.0, float("-inf")]))
        Tensor([False  True], dtype=bool, device=xpux:0)
    """
    return apply(elemwise.isinf, inp)


def sort(inp: Tensor, descending: bool = False) -> tuple[Tensor, Tensor]:
    """The elements sorted along the last dimension, and where each was.

    Equal elements keep their order; NaN comes last.

    Args:
        inp: input of at least one dimension.
        descending: largest first.

    Returns:
        The sorted tensor and its int32 indices.

    Raises:
        RuntimeError: a scalar or bools.

    Example:
        >>> F.sort(Tensor([3.0, 1.0, 2.0]))
        (Tensor([1. 2. 3.], device=xpux:0), Tensor([1 2 0], dtype=int32, device=xpux:0))
    """
    return apply(reduce.sort, inp, descending=bool(descending))


def argsort(inp: Tensor, descending: bool = False) -> Tensor:
    """Indices that sort the last dimension.

    Args:
        inp: input of at least one dimension.
        descending: largest first.

    Returns:
        int32 indices of the input's shape.

    Raises:
        RuntimeError: a scalar or bools.

    Example:
        >>> F.argsort(Tensor([3.0, 1.0, 2.0]))
        Tensor([1 2 0], dtype=int32, device=xpux:0)
    """
    return apply(reduce.argsort, inp, descending=bool(descending))


def topk(
    inp: Tensor, k: int, descending: bool = True, kth_only: bool = False, no_sort: bool = False
) -> tuple[Tensor, Tensor]:
    """The ``k`` largest (or smallest) elements of the last dimension, and where they are.

    Args:
        inp: input of one or two dimensions.
        k: how many; more than there are gives all. A negative number takes ``-k`` from the other end.
        descending: the largest, largest first; otherwise the smallest, smallest first.
        kth_only: only the k-th element, that dimension gone.
        no_sort: the order does not matter (it is sorted all the same).

    Returns:
        The elements and their int32 indices.

    Raises:
        RuntimeError: the input has no or more than two dimensions, or ``k`` is 0.

    Example:
        >>> F.topk(Tensor([2.0, 4.0, 1.0, 3.0]), 2)
        (Tensor([4. 3.], device=xpux:0), Tensor([1 3], dtype=int32, device=xpux:0))
    """
    if inp.ndim not in (1, 2):
        raise RuntimeError(f"topk: the input needs 1 or 2 dimensions, it has shape {inp.shape}")
    count = int(k) if isinstance(k, float) else _axes.as_int(k, "k")
    if count == 0:
        raise RuntimeError("topk: k must not be 0")
    if count < 0:
        count, descending = -count, not descending
    return apply(reduce.topk, inp, k=count, descending=bool(descending), kth_only=bool(kth_only))


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
    """Sums of products along dimensions named by letters (Einstein, 1916), as ``numpy.einsum`` has them.

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
    """Sum of the products of two vectors' elements.

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
    if inp1.ndim > 1 or inp2.ndim > 1:
        raise AssertionError(f"dot takes vectors or scalars, not shapes {inp1.shape} and {inp2.shape}; see matmul")
    return apply(linalg.dot, inp1, inp2)


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
    """Norm of vectors, ``sum(abs(x) ** ord) ** (1 / ord)``.

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
    return apply(reduce.norm, inp, **_which_norm("norm", inp, ord, axis), keepdims=bool(keepdims))


def normalize(
    inp: Tensor, ord: float | None = None, axis: int | Sequence[int] | None = None, eps: float = 1e-12
) -> Tensor:
    """Vectors scaled to norm 1, ``x / max(norm(x), eps)``.

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
    within("eps", eps, 0)
    return apply(reduce.normalize, inp, eps, **_which_norm("normalize", inp, ord, axis))


def _check_non_finite(inps: Tensor | Iterable[Tensor], scale: float = 1.0) -> Tensor:
    """Multiply tensors in place, and tell whether something infinite or NaN is among them; private in MegEngine too.

    Args:
        inps: floating-point tensors.
        scale: the factor. Default: 1

    Returns:
        an int32 scalar, 1 or 0.

    Example:
        >>> x = Tensor([1.0, float("inf")])
        >>> F.math._check_non_finite([x], 0.5).item(), x.numpy()
        (1, array([0.5, inf], dtype=float32))
    """
    tensors = [inps] if isinstance(inps, Tensor) else list(inps)
    *scaled, found = apply(optimize.unscale, float(scale), *tensors)
    reset_together(tensors, scaled)
    return found


def _which_norm(name: str, inp: Tensor, ord: float | None, axis: Any) -> dict[str, Any]:
    require_tensor(inp, "inp")
    if axis is None and inp.ndim != 1:
        raise TypeError(f"{name}: axis is needed for an input of {plural(inp.ndim, 'dimension')}, shape {inp.shape}")
    return {"ord": 2 if ord is None else within("ord", ord), "axis": _axes.reduction_axes(axis, inp.ndim, name)}
