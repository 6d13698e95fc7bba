"""Transposed convolutions of integers with batch normalisation, which is folded into weight and bias."""

from __future__ import annotations

from typing import Any, Self

from ...tensor import Tensor
from .conv import ConvTranspose2d
from .module import stored


class _Folded(ConvTranspose2d):
    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """The layer of integers that one for quantization-aware training becomes."""
        layer, bn = qat_module.conv_transpose2d, qat_module.bn
        made = cls.like(layer, qat_module.get_activation_dtype(), qat_module.name)
        weight, bias = qat_module.fold_weight_bias(bn.running_mean, bn.running_var)
        made.weight = stored(weight.astype(qat_module.get_weight_dtype()), layer.weight)
        made.bias = stored(bias, layer.bias)
        return made


class ConvTransposeBn2d(_Folded):
    """:class:`megengine.module.ConvTransposeBn2d` of quantised images; the arguments are those of :class:`ConvTranspose2d`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.ConvTransposeBn2d(3, 8, 3))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4, 4))).dtype
        ('megengine.module.quantized.conv_transpose_bn', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_transpose2d_quantized(inp)


class ConvTransposeBnRelu2d(_Folded):
    """:class:`megengine.module.ConvTransposeBnRelu2d` of quantised images, as :class:`ConvTransposeBn2d`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.ConvTransposeBnRelu2d(3, 8, 3))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4, 4))).dtype
        ('megengine.module.quantized.conv_transpose_bn', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_transpose2d_quantized(inp, "relu")
