"""Fully connected layers for quantization-aware training."""

from __future__ import annotations

from typing import Any, Self

from ...functional import relu
from ...tensor import Tensor
from .. import linear as Float
from .module import QATModule


class Linear(Float.Linear, QATModule):
    """:class:`megengine.module.Linear` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.Linear(3, 4)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3))).shape
        (2, 4)
    """

    def calc_linear_qat(self, inp: Tensor) -> Tensor:
        """The product with weight and bias rounded."""
        w_qat = self.apply_quant_weight(self.weight)
        return self.calc_linear(inp, w_qat, self.apply_quant_bias(self.bias, inp, w_qat))

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(self.calc_linear_qat(inp))

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """The layer that a :class:`megengine.module.Linear` becomes; it shares its parameters."""
        settings = {"compute_mode": float_module.compute_mode, "name": float_module.name}
        made = cls(float_module.in_features, float_module.out_features, **settings)
        made.weight, made.bias = float_module.weight, float_module.bias
        return made


class LinearRelu(Linear):
    """:class:`megengine.module.LinearRelu` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.LinearRelu(3, 4)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3))).shape
        (2, 4)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(relu(self.calc_linear_qat(inp)))
