"""Fully connected layers with batch normalisation for quantization-aware training."""

from __future__ import annotations

from typing import Any, Self

from ...functional import relu
from ...tensor import Tensor
from .. import linear_bn as Float
from .folding import FoldedModule


class _Folded(FoldedModule):
    linear: Any

    def layer(self) -> Any:
        return self.linear

    def calculated(self, inp: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.linear.calc_linear(inp, weight, bias)

    def scaled_weight(self, factor: Tensor) -> Tensor:
        return self.linear.weight * factor.reshape(-1, 1)

    def across(self, of_channels: Tensor) -> Tensor:
        return of_channels

    def calc_linear_bn_qat(self, inp: Tensor, approx: bool = True) -> Tensor:
        """Product and normalisation with weight and bias rounded, see :meth:`folded`."""
        return self.folded(inp, approx)

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """The layer that a floating-point one becomes; it shares its parameters and its normalisation."""
        linear, bn = float_module.linear, float_module.bn
        make: Any = cls
        made: Self = make(
            linear.in_features,
            linear.out_features,
            linear.bias is not None,
            linear.compute_mode,
            bn.eps,
            bn.momentum,
            bn.affine,
            bn.track_running_stats,
            name=float_module.name,
        )
        made.linear.weight, made.linear.bias = linear.weight, linear.bias
        made.bn = bn
        return made


class LinearBn1d(Float.LinearBn1d, _Folded):
    """:class:`megengine.module.LinearBn1d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.LinearBn1d(3, 4)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3))).shape
        (2, 4)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(self.calc_linear_bn_qat(inp))


class LinearBnRelu1d(Float.LinearBnRelu1d, _Folded):
    """:class:`megengine.module.LinearBnRelu1d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.LinearBnRelu1d(3, 4)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3))).shape
        (2, 4)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(relu(self.calc_linear_bn_qat(inp)))
