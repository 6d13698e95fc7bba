"""Element-wise operators for quantization-aware training."""

from __future__ import annotations

from typing import Any, Self

from ...tensor import Tensor
from .. import elemwise as Float
from .module import QATModule


class Elemwise(Float.Elemwise, QATModule):
    """:class:`megengine.module.Elemwise` for quantization-aware training; the arguments are its."""

    with_weight = False

    def forward(self, *inps: Tensor) -> Tensor:
        return self.apply_quant_activation(super().forward(*inps))

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """What a :class:`megengine.module.Elemwise` becomes."""
        return cls(float_module.method, name=float_module.name)
