"""Layers that round values to the steps of a quantised dtype, in floating-point numbers."""

from __future__ import annotations

import math
from typing import Any

from ..core.tensor.dtype import QuantDtypeMeta
from ..functional import abs, log
from ..tensor import Parameter, Tensor
from .parts import Part
from .utils import (
    LSQParams,
    QParams,
    QParamsModuleMixin,
    QuantMode,
    create_qparams,
    fake_quant_tensor,
    lsq_forward,
    tqt_forward,
)

__all__ = ["FakeQuantize", "LSQ", "TQT"]


class _FakeQuantize(Part):
    def fake_quant_forward(self, inp: Tensor, qparams: QParams | None = None) -> Tensor:
        """What it does while it is enabled."""
        raise NotImplementedError

    def normal_forward(self, inp: Tensor, qparams: QParams | None = None) -> Tensor:
        """What it does while it is disabled: nothing."""
        return inp

    def forward(self, inp: Tensor, qparams: QParams | None = None) -> Tensor:
        return (self.fake_quant_forward if self.enabled else self.normal_forward)(inp, qparams)


class FakeQuantize(_FakeQuantize):
    """Rounds to the scale and zero point that an observer gives, see :func:`fake_quant_tensor`.

    Args:
        dtype: kind of the quantised dtype, or its name such as ``"qint8"``.
        enable: whether to round. Default: True

    Raises:
        ValueError: no dtype has this name.

    Example:
        >>> q = megengine.quantization
        >>> q.FakeQuantize("qint8")(Tensor([0.3, 99.0]), q.create_qparams(dtype_meta="qint8", scale=Tensor(0.25)))
        Tensor([ 0.25 31.75], device=xpux:0)
    """

    def fake_quant_forward(self, inp: Tensor, qparams: QParams | None = None) -> Tensor:
        assert qparams is not None, "FakeQuantize rounds to what an observer has found: it needs qparams"
        assert qparams.dtype_meta is self.dtype, (
            f"input qparams' dtype is not equal to self.dtype.\nqparams.dtype_meta={qparams.dtype_meta}\nself.dtype={self.dtype}"
        )
        return fake_quant_tensor(inp, qparams)


class TQT(_FakeQuantize, QParamsModuleMixin):
    """Rounds with a step that is a learned power of 2 (Jain et al., Trained Quantization Thresholds for Accurate and Efficient
    Fixed-Point Inference of Deep Neural Networks, 2019).

    Args:
        dtype: kind of the quantised dtype, or its name.
        enable: whether to round. Default: True

    Attributes:
        scale: binary logarithm of the step; starts with 0.

    Example:
        >>> tqt = megengine.quantization.TQT("qint8")
        >>> tqt(Tensor([0.3, 1.6]))
        Tensor([0. 2.], device=xpux:0)
    """

    def __init__(self, dtype: str | QuantDtypeMeta, enable: bool = True, **kwargs: Any) -> None:
        super().__init__(dtype, enable, **kwargs)
        self.scale = Parameter(0.0, dtype="float32")

    def fake_quant_forward(self, inp: Tensor, qparams: QParams | None = None) -> Tensor:
        return tqt_forward(self.qmin, self.qmax, inp, self.scale)

    def set_qparams(self, qparams: QParams) -> None:
        """Start from a known step.

        Raises:
            AssertionError: an asymmetric quantization, or no scale.
        """
        assert qparams.mode == QuantMode.SYMMERTIC, "only symmetric quantization is supported by TQT"
        if qparams.scale is None:
            raise AssertionError("Can not get an initialized scale")
        self.scale[...] = log(qparams.scale) / math.log(2)

    def get_qparams(self) -> QParams:
        return create_qparams(QuantMode.SYMMERTIC, self.dtype, scale=2**self.scale)


class LSQ(_FakeQuantize, QParamsModuleMixin):
    """Rounds with a step that is learned (Esser et al., Learned Step Size Quantization, 2019).

    Args:
        dtype: kind of the quantised dtype, or its name.
        enable: whether to round. Default: True
        eps: least step. Default: 1e-5

    Attributes:
        step_size: the step less ``eps``; starts with 1.
        zero_point: the integer that stands for 0.
        grad_scale: factor of the step's gradient.

    Example:
        >>> megengine.quantization.LSQ("qint8")(Tensor([0.3, 1.6])).numpy().round(3)
        array([0., 2.], dtype=float32)
    """

    def __init__(self, dtype: str | QuantDtypeMeta, enable: bool = True, eps: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(dtype, enable, **kwargs)
        self.eps = Tensor(eps, dtype="float32")
        self.step_size = Parameter(1.0, dtype="float32")
        self.mode: QuantMode | None = None
        self.zero_point = Tensor(0.0, dtype="float32")
        self.grad_scale = Tensor(1.0, dtype="float32")

    def set_qparams(self, qparams: QParams) -> None:
        """Start from a known step.

        Raises:
            AssertionError: no scale.
        """
        if qparams.scale is None:
            raise AssertionError("Can not get an initialized scale")
        self.mode = qparams.mode
        self.zero_point = qparams.zero_point if qparams.mode == QuantMode.ASYMMERTIC else Tensor(0.0, dtype="float32")
        step = qparams.scale.item() - self.eps.item()
        self.step_size = Parameter(max(step, 0.0), dtype="float32")
        if isinstance(qparams, LSQParams):
            self.grad_scale = qparams.grad_scale

    def fake_quant_forward(self, inp: Tensor, qparams: QParams | None = None) -> Tensor:
        step = abs(self.step_size) + self.eps
        return lsq_forward(self.qmin, self.qmax, inp, step, self.zero_point, self.grad_scale)

    def get_qparams(self) -> LSQParams:
        scale = abs(self.step_size.detach()) + self.eps
        return LSQParams(self.mode, self.dtype, scale, self.zero_point, self.grad_scale)
