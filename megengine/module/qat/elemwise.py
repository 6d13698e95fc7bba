"""Element-wise operators for quantization-aware training."""

from __future__ import annotations

from typing import Any, Self

from ...tensor import Tensor
from .. import elemwise as Float
from .module import QATModule


class Elemwise(Float.Elemwise, QATModule):
    """:class:`megengine.module.Elemwise` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.Elemwise("add")
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(Tensor([0.25, 12.0]), Tensor([0.06, 0.75])).numpy().round(2)
        array([ 0.3, 12.7], dtype=float32)
    """

    with_weight = False

    def forward(self, *inps: Tensor) -> Tensor:
        return self.apply_quant_activation(super().forward(*inps))

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """What a :class:`megengine.module.Elemwise` becomes."""
        return cls(float_module.method, name=float_module.name)
