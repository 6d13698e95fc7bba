"""Fake quantization: with given steps, and with learned ones."""

from __future__ import annotations

from typing import Any

from ....functional import _fake_quant as F
from ....ops.quantized import QuantDtypeMeta
from ....tensor import Tensor
from ....tensor.qparams import QParams, QuantMode
from ..opdef import OpDef, tensor

__all__ = ["FakeQuant", "LSQ", "TQT"]


class _Rounding(OpDef):
    fields = {"qmin": -(2**31), "qmax": 2**31 - 1}
    qmin: int
    qmax: int


class FakeQuant(_Rounding):
    """Values at the steps of a quantised dtype, of a scale and a zero point."""

    operands = 3

    def _run(self, x: Any, scale: Any, zero_point: Any) -> tuple[Tensor, ...]:
        kind = QuantDtypeMeta("", None, "int32", self.qmin, self.qmax)
        return (F.fake_quant_tensor(tensor(self, x), QParams(QuantMode.ASYMMERTIC, kind, scale, zero_point)),)


class TQT(_Rounding):
    """Values at the steps of a quantised dtype, of the binary logarithm of a learned step."""

    operands = 2

    def _run(self, x: Any, scale: Any) -> tuple[Tensor, ...]:
        return (F.tqt_forward(self.qmin, self.qmax, tensor(self, x), tensor(self, scale)),)


class LSQ(_Rounding):
    """Values at the steps of a quantised dtype, of a learned step, a zero point and the factor of the step's gradient."""

    operands = 4

    def _run(self, x: Any, step: Any, zero_point: Any, grad_scale: Any) -> tuple[Tensor, ...]:
        return (F.lsq_forward(self.qmin, self.qmax, tensor(self, x), tensor(self, step), zero_point, grad_scale),)
