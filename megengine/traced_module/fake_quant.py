"""Fake quantization by given parameters."""

from __future__ import annotations

from typing import Any

from ..core.tensor.dtype import QuantDtypeMeta
from ..quantization.fake_quant import FakeQuantize as _FakeQuantize
from ..quantization.utils import QParams, QParamsModuleMixin, fake_quant_tensor
from ..tensor import Tensor

__all__ = ["FakeQuantize"]


class FakeQuantize(_FakeQuantize, QParamsModuleMixin):
    """Rounds to a quantised dtype by parameters of its own.

    Args:
        dtype: kind of the dtype, or its name such as ``"qint8"``.
        enable: whether to round. Default: True

    Example:
        >>> from megengine.traced_module.fake_quant import FakeQuantize
        >>> from megengine.quantization import QuantMode, create_qparams
        >>> rounding = FakeQuantize("qint8")
        >>> rounding.set_qparams(create_qparams(QuantMode.SYMMERTIC, "qint8", Tensor(0.5)))
        >>> rounding(Tensor([0.2, 0.3, 0.9]))
        Tensor([0.  0.5 1. ], device=xpux:0)
    """

    def __init__(self, dtype: str | QuantDtypeMeta, enable: bool = True, **kwargs: Any) -> None:
        super().__init__(dtype, enable, **kwargs)
        self.qparams: QParams | None = None

    def fake_quant_forward(self, inp: Tensor, qparams: QParams | None = None) -> Tensor:
        qparams = self.get_qparams() if qparams is None else qparams
        self._require(qparams)
        return fake_quant_tensor(inp, qparams)

    def _require(self, qparams: QParams) -> None:
        if qparams.dtype_meta is not self.dtype:
            raise AssertionError(f"the parameters are for {qparams.dtype_meta}, not {self.dtype}")

    def get_qparams(self) -> QParams:
        """The parameters."""
        return self.qparams  # type: ignore[return-value]

    def set_qparams(self, qparams: QParams) -> None:
        """Set the parameters; without a dtype, they are for this one's.

        Raises:
            AssertionError: they have no scale, or are for another dtype.
        """
        if qparams.scale is None:
            raise AssertionError("the parameters have no scale yet")
        if qparams.dtype_meta is None:
            qparams.dtype_meta = self.dtype
        self._require(qparams)
        self.qparams = QParams(qparams.mode, qparams.dtype_meta, qparams.scale, qparams.zero_point)
