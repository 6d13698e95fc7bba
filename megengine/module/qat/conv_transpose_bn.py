"""Transposed convolutions with batch normalisation for quantization-aware training."""

from __future__ import annotations

from typing import Any, Self

from ...functional import relu
from ...tensor import Tensor
from .. import conv_transpose_bn as Float
from ..settings import settings_of
from .folding import FoldedModule


class _Folded(FoldedModule):
    conv_transpose2d: Any

    def layer(self) -> Any:
        return self.conv_transpose2d

    def calculated(self, inp: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.conv_transpose2d.calc_conv_transpose2d(inp, weight, bias)

    def scaled_weight(self, factor: Tensor) -> Tensor:
        layer = self.conv_transpose2d
        shape = (1, -1, 1, 1) if layer.groups == 1 else (layer.groups, 1, -1, 1, 1)
        return layer.weight * factor.reshape(shape)

    def across(self, of_channels: Tensor) -> Tensor:
        return of_channels.reshape(1, -1, 1, 1)

    def calc_conv_transpose2d_bn_qat(self, inp: Tensor, approx: bool = True) -> Tensor:
        """Transposed convolution and normalisation with weight and bias rounded, see :meth:`folded`."""
        return self.folded(inp, approx)

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """The layer that a floating-point one becomes; it shares its parameters and its normalisation."""
        layer = float_module.conv_transpose2d
        make: Any = cls
        made: Self = make(**settings_of(layer), name=float_module.name)
        made.conv_transpose2d.weight, made.conv_transpose2d.bias = layer.weight, layer.bias
        made.bn = float_module.bn
        return made


class ConvTransposeBn2d(Float.ConvTransposeBn2d, _Folded):
    """:class:`megengine.module.ConvTransposeBn2d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.ConvTransposeBn2d(3, 8, 3)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4, 4))).shape
        (2, 8, 6, 6)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(self.calc_conv_transpose2d_bn_qat(inp))


class ConvTransposeBnRelu2d(Float.ConvTransposeBnRelu2d, _Folded):
    """:class:`megengine.module.ConvTransposeBnRelu2d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.ConvTransposeBnRelu2d(3, 8, 3)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4, 4))).shape
        (2, 8, 6, 6)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(relu(self.calc_conv_transpose2d_bn_qat(inp)))
