"""What optimizers and loss scaling call: scaled sums, and whether numbers are finite."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ....tensor import Tensor
from ..opdef import OpDef, tensor

__all__ = ["CheckNonFinite", "InplaceAdd"]


class InplaceAdd(OpDef):
    """``dest * alpha + delta * beta``, as a new tensor."""

    operands = 4

    def _run(self, dest: Any, delta: Any, alpha: Any, beta: Any) -> tuple[Tensor, ...]:
        return (tensor(self, dest) * alpha + delta * beta,)


class CheckNonFinite(OpDef):
    """The operands times ``scale``, and after them 1 if one of the numbers is infinite or NaN, else 0."""

    fields = {"scale": 1.0}
    scale: float

    def _run(self, *xs: Any) -> tuple[Tensor, ...]:
        scaled = [F.copy(tensor(self, x)) for x in xs]
        found = F.math._check_non_finite(scaled, self.scale)
        return (*scaled, found.astype("int32").reshape(()))
