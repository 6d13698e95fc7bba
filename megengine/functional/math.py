"""Reductions, sorting, linear algebra and norms."""

from __future__ import annotations

from collections.abc import Iterable

from .._help.ranges import number
from ..graph.apply import apply
from ..graph.together import reset_together
from ..ops import optimize
from ..tensor import Tensor
from ._arithmetic import sign
from ._comparison import isinf, isnan
from ._linalg import dot, einsum, matinv, matmul, norm, normalize, svd
from ._reductions import argmax, argmin, max, mean, min, prod, std, sum, var
from ._sorting import argsort, sort, topk

__all__ = [
    "sum", "prod", "mean", "var", "std", "min", "max", "argmin", "argmax",
    "sort", "argsort", "topk", "sign", "isnan", "isinf",
    "matmul", "dot", "einsum", "matinv", "svd", "norm", "normalize",
]  # fmt: skip


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
    *scaled, found = apply(optimize.unscale, number("scale", scale), *tensors)
    reset_together(tensors, scaled)
    return found
