"""A batch of matrix products for quantization-aware training."""

from __future__ import annotations

from typing import Any, Self

from ...tensor import Tensor
from .. import batch_matmul_activation as Float
from .module import QATModule


class BatchMatMulActivation(Float.BatchMatMulActivation, QATModule):
    """:class:`megengine.module.BatchMatMulActivation` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.BatchMatMulActivation(2, 3, 4)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4))).shape
        (2, 4, 4)
    """

    def forward(self, inp: Tensor) -> Tensor:
        w_qat = self.apply_quant_weight(self.weight)
        b_qat = self.apply_quant_bias(self.bias, inp, w_qat)
        return self.apply_quant_activation(self._calc_linear(inp, w_qat, b_qat))

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """The layer that a :class:`megengine.module.BatchMatMulActivation` becomes; it shares its parameters."""
        made = cls(
            float_module.batch,
            float_module.in_features,
            float_module.out_features,
            float_module.bias is not None,
            float_module.nonlinear_mode,
            name=float_module.name,
        )
        made.weight, made.bias = float_module.weight, float_module.bias
        return made
