"""Convolutions of integers with batch normalisation, which is folded into weight and bias."""

from __future__ import annotations

from typing import Any, Self

from ...tensor import Tensor
from .conv import Conv2d
from .module import stored


class _Folded(Conv2d):
    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """The layer of integers that one for quantization-aware training becomes."""
        conv, bn = qat_module.conv, qat_module.bn
        made = cls.like(conv, qat_module.get_activation_dtype(), qat_module.name)
        weight, bias = qat_module.fold_weight_bias(bn.running_mean, bn.running_var)
        made.weight = stored(weight.astype(qat_module.get_weight_dtype()), conv.weight)
        made.bias = stored(bias, conv.bias)
        return made


class ConvBn2d(_Folded):
    """:class:`megengine.module.ConvBn2d` of quantised images; the arguments are those of :class:`Conv2d`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.ConvBn2d(3, 8, 3))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4, 4))).dtype
        ('megengine.module.quantized.conv_bn', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_quantized(inp)


class ConvBnRelu2d(_Folded):
    """:class:`megengine.module.ConvBnRelu2d` of quantised images; the arguments are those of :class:`Conv2d`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.ConvBnRelu2d(3, 8, 3))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4, 4))).dtype
        ('megengine.module.quantized.conv_bn', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_quantized(inp, "relu")
