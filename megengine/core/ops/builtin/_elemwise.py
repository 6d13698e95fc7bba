"""Element by element: Elemwise with all its modes, comparisons, conversions of dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .... import functional as F
from ....functional import _modes
from ....tensor import Tensor
from ..opdef import OpDef, choices, tensor

__all__ = ["Elemwise", "ElemwiseMultiType", "TypeCvt"]

_COMPARISONS: dict[str, Callable[..., Tensor]] = {
    "LT": F.less, "LEQ": F.less_equal, "EQ": F.equal, "NEQ": F.not_equal, "ISNAN": F.isnan, "ISINF": F.isinf,
}  # fmt: skip


class Elemwise(OpDef):
    """An element-wise operator by its mode, the one that public programs call most.

    Example:
        >>> from megengine.core._imperative_rt.core2 import apply
        >>> from megengine.core.ops.builtin import Elemwise
        >>> apply(Elemwise(mode=Elemwise.Mode.MAX), Tensor([1.0, 4.0]), Tensor(2.0))
        (Tensor([2. 4.], device=xpux:0),)
    """

    Mode = choices("Elemwise.Mode", _modes.MODES)
    fields = {"mode": "RELU"}
    enums = {"mode": Mode}
    mode: str

    def _run(self, *operands: Any) -> tuple[Tensor, ...]:
        for operand in operands:
            if operand is None:
                raise TypeError(f"Elemwise({self.mode!r}) takes tensors and numbers, not None")
        # NumPy's numbers and arrays are operands too, and numbers alone make a tensor.
        first, *rest = operands
        return (_modes.call(str.__str__(self.mode), first if isinstance(first, Tensor) else Tensor(first), *rest),)

    def __repr__(self) -> str:
        return str.__str__(self.mode)


class ElemwiseMultiType(OpDef):
    """Comparisons, whose results are bools, and operators on quantised tensors: Elemwise's modes with a Q in front."""

    Mode = choices("ElemwiseMultiType.Mode", [*_COMPARISONS, *(f"Q{mode}" for mode in _modes.MODES)])
    fields = {"mode": "EQ", "dtype": None}
    enums = {"mode": Mode}
    mode: str
    dtype: Any

    def _run(self, *operands: Any) -> tuple[Tensor, ...]:
        mode = str.__str__(self.mode)
        if mode not in _COMPARISONS:
            return (_modes.call_quantized(mode, self.dtype, *operands),)
        result = _COMPARISONS[mode](*operands)
        return (result if self.dtype is None else result.astype(self.dtype),)


class TypeCvt(OpDef):
    """Conversion to a dtype."""

    fields = {"dtype": None}
    operands = 1
    dtype: Any

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        if self.dtype is None:
            raise RuntimeError("TypeCvt has no dtype: write TypeCvt('int32')")
        return (tensor(self, x).astype(self.dtype),)
