"""Fully connected layers of integers with batch normalisation, which is folded into weight and bias."""

from __future__ import annotations

from typing import Any, Self

from ...tensor import Tensor
from .linear import Linear
from .module import stored


class _Folded(Linear):
    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """The layer of integers that one for quantization-aware training becomes."""
        layer, bn = qat_module.linear, qat_module.bn
        made = cls(dtype=qat_module.get_activation_dtype(), name=qat_module.name)
        weight, bias = qat_module.fold_weight_bias(bn.running_mean, bn.running_var)
        made.weight = stored(weight.astype(qat_module.get_weight_dtype()), layer.weight)
        made.bias = stored(bias, layer.bias)
        return made


class LinearBn1d(_Folded):
    """:class:`megengine.module.LinearBn1d` of quantised tensors; the arguments are those of :class:`Linear`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.LinearBn1d(3, 4))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3))).dtype
        ('megengine.module.quantized.linear_bn', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_linear_quantized(inp)


class LinearBnRelu1d(_Folded):
    """:class:`megengine.module.LinearBnRelu1d` of quantised tensors; the arguments are those of :class:`Linear`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.LinearBnRelu1d(3, 4))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3))).dtype
        ('megengine.module.quantized.linear_bn', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_linear_quantized(inp, "relu")
