"""Where a model for quantization-aware training starts and ends to be quantised."""

from __future__ import annotations

from typing import Any, Self

from ...tensor import Tensor
from .. import quant_dequant as Float
from .module import QATModule


class QuantStub(Float.QuantStub, QATModule):
    """Rounds a model's input as if it were quantised, which it is in the integer model.

    Example:
        >>> stub = megengine.module.qat.QuantStub()
        >>> stub.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> stub(Tensor([0.26, 12.75]))
        Tensor([ 0.3  12.7], device=xpux:0)
    """

    with_weight = False

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(inp)

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """What a :class:`megengine.module.QuantStub` becomes."""
        return cls(name=float_module.name)


class DequantStub(Float.DequantStub, QATModule):
    """Marks where the integer model goes back to floating-point numbers; returns its input.

    Example:
        >>> megengine.module.qat.DequantStub()(Tensor([0.26]))
        Tensor([0.26], device=xpux:0)
    """

    with_weight = False
    with_act = False

    def forward(self, inp: Tensor) -> Tensor:
        return inp

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """What a :class:`megengine.module.DequantStub` becomes."""
        return cls(name=float_module.name)
