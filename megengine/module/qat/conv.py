"""Convolutions for quantization-aware training."""

from __future__ import annotations

from typing import Any, Self

from ...functional import relu
from ...tensor import Tensor
from .. import conv as Float
from ..settings import settings_of
from .module import QATModule


class Conv2d(Float.Conv2d, QATModule):
    """:class:`megengine.module.Conv2d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.Conv2d(3, 8, 3)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4, 4))).shape
        (2, 8, 2, 2)
    """

    def calc_conv_qat(self, inp: Tensor) -> Tensor:
        """The convolution with weight and bias rounded."""
        w_qat = self.apply_quant_weight(self.weight)
        return self.calc_conv(inp, w_qat, self.apply_quant_bias(self.bias, inp, w_qat))

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """The layer that a :class:`megengine.module.Conv2d` becomes; it shares its parameters."""
        made = cls(**settings_of(float_module), name=float_module.name)
        made.weight, made.bias = float_module.weight, float_module.bias
        return made

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(self.calc_conv_qat(inp))


class ConvRelu2d(Conv2d):
    """:class:`megengine.module.ConvRelu2d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.ConvRelu2d(3, 8, 3)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4, 4))).shape
        (2, 8, 2, 2)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(relu(self.calc_conv_qat(inp)))


class ConvTranspose2d(Float.ConvTranspose2d, QATModule):
    """:class:`megengine.module.ConvTranspose2d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.ConvTranspose2d(3, 8, 3)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4, 4))).shape
        (2, 8, 6, 6)
    """

    def calc_conv_transpose2d_qat(self, inp: Tensor) -> Tensor:
        """The transposed convolution with weight and bias rounded."""
        w_qat = self.apply_quant_weight(self.weight)
        return self.calc_conv_transpose2d(inp, w_qat, self.apply_quant_bias(self.bias, inp, w_qat))

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """The layer that a :class:`megengine.module.ConvTranspose2d` becomes; it shares its parameters."""
        made = cls(**settings_of(float_module), name=float_module.name)
        made.weight, made.bias = float_module.weight, float_module.bias
        return made

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(self.calc_conv_transpose2d_qat(inp))


class ConvTransposeRelu2d(ConvTranspose2d):
    """:class:`megengine.module.ConvTransposeRelu2d` for quantization-aware training; the arguments are its.

    Example:
        >>> layer = megengine.module.qat.ConvTransposeRelu2d(3, 8, 3)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(F.ones((2, 3, 4, 4))).shape
        (2, 8, 6, 6)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.apply_quant_activation(relu(self.calc_conv_transpose2d_qat(inp)))
