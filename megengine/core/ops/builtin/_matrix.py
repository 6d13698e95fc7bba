"""Products of vectors, matrices and batches of them; inverses and singular values."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ....tensor import Tensor
from ..opdef import OpDef, choices, tensor

__all__ = ["BatchedMatrixMul", "Dot", "MatrixInverse", "MatrixMul", "SVD"]

_FORMATS = ["DEFAULT", "MK4", "MK8", "MK4_DOT", "N32K4_DOT"]


class MatrixMul(OpDef):
    """A product of matrices, either transposed first if asked for."""

    ComputeMode = choices("MatrixMul.ComputeMode", ["DEFAULT", "FLOAT32"])
    Format = choices("MatrixMul.Format", _FORMATS)
    fields = {
        "transposeA": False, "transposeB": False, "compute_mode": "DEFAULT", "format": "DEFAULT", "strategy": 1,
        "workspace_limit": 2**64 - 1, "dimA": 0, "dimB": 0,
    }  # fmt: skip
    enums = {"compute_mode": ComputeMode, "format": Format}
    operands = 2
    transposeA: bool
    transposeB: bool
    compute_mode: str

    def _run(self, a: Any, b: Any) -> tuple[Tensor, ...]:
        mode = str.__str__(self.compute_mode).lower()
        return (F.matmul(tensor(self, a), tensor(self, b), self.transposeA, self.transposeB, mode),)


class BatchedMatrixMul(MatrixMul):
    """A product of matrices for each of a batch."""

    def _run(self, a: Any, b: Any) -> tuple[Tensor, ...]:
        if tensor(self, a).ndim < 3 and tensor(self, b).ndim < 3:
            raise RuntimeError(f"BatchedMatrixMul takes batches of matrices, got {a.shape} and {b.shape}")
        return super()._run(a, b)


class Dot(OpDef):
    """The product of two vectors."""

    operands = 2

    def _run(self, a: Any, b: Any) -> tuple[Tensor, ...]:
        return (F.dot(tensor(self, a), tensor(self, b)),)


class MatrixInverse(OpDef):
    """The inverse of a matrix."""

    operands = 1

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return (F.matinv(tensor(self, x)),)


class SVD(OpDef):
    """Singular values and vectors."""

    fields = {"full_matrices": False, "compute_uv": True}
    operands = 1
    full_matrices: bool
    compute_uv: bool

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        result = F.svd(tensor(self, x), self.full_matrices, self.compute_uv)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)
