"""Convolutions with batch normalisation for quantization-aware training."""

from __future__ import annotations

from typing import Any, Self

from ...functional import relu
from ...tensor import Tensor
from .. import conv_bn as Float
from ..settings import settings_of
from .folding import FoldedModule


class _Folded(FoldedModule):
    conv: Any

    def layer(self) -> Any:
        return self.conv

    def calculated(self, inp: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.conv.calc_conv(inp, weight, bias)

    def scaled_weight(self, factor: Tensor) -> Tensor:
        conv = self.conv
        shape = (-1, 1, 1, 1) if conv.groups == 1 else (conv.groups, -1, 1, 1, 1)
        return conv.weight * factor.reshape(shape)

    def across(self, of_channels: Tensor) -> Tensor:
        return of_channels.reshape(1, -1, 1, 1)

    def calc_conv_bn_qat(self, inp: Tensor, approx: bool = True) -> Tensor:
        """Convolution and normalisation with weight and bias rounded, see :meth:`folded`."""
        return self.folded(inp, approx)

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """The layer that a floating-point one becomes; it shares its parameters and its normalisation."""
        conv = float_module.conv
        make: Any = cls
        made: Self = make(**settings_of(conv), name=float_module.name)
        made.conv.weight, made.conv.bias = conv.weight, conv.bias
        made.bn = float_module.bn
        return made


class ConvBn2d(Float.ConvBn2d, _Folded):
    """:class:`megengine.module.ConvBn2d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.ConvBn2d(3, 8, 3)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4, 4))).shape
        (2, 8, 2, 2)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(self.calc_conv_bn_qat(inp))


class ConvBnRelu2d(Float.ConvBnRelu2d, _Folded):
    """:class:`megengine.module.ConvBnRelu2d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.ConvBnRelu2d(3, 8, 3)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4, 4))).shape
        (2, 8, 2, 2)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(relu(self.calc_conv_bn_qat(inp)))
