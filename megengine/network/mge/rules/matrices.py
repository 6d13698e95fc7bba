"""Products, inverses and factors of matrices."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ..building import Builder, required, rule, tensor
from ..container import Operator


@rule("MatrixMul", "BatchedMatrixMul")
def product(builder: Builder, op: Operator, a: Any, b: Any) -> Any:
    """A product of matrices, or of each of a batch."""
    how = op.param("MatrixMul")
    required(op, "the format", how.format, ["DEFAULT"])
    return F.matmul(tensor(a), tensor(b), how.transposeA, how.transposeB, how.compute_mode.lower())


@rule("Dot")
def of_vectors(builder: Builder, op: Operator, a: Any, b: Any) -> Any:
    """The product of two vectors, a vector of one."""
    return F.reshape(F.dot(tensor(a), tensor(b)), (1,))


@rule("MatrixInverse")
def inverse(builder: Builder, op: Operator, x: Any) -> Any:
    """The inverse."""
    return F.matinv(tensor(x))


@rule("SVD")
def singular_values(builder: Builder, op: Operator, x: Any) -> Any:
    """U, the singular values, and V transposed."""
    how = op.param("SVD")
    required(op, "compute_uv", how.compute_uv, [True])
    return F.svd(tensor(x), how.full_matrices)


@rule("Cross")
def cross_product(builder: Builder, op: Operator, a: Any, b: Any) -> Any:
    """The cross product of vectors."""
    how = op.param("Cross")
    return F.cross(tensor(a), tensor(b), how.axisa, how.axisb, how.axisc)
