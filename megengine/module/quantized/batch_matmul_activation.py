"""A batch of matrix products of integers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ...functional import expand_dims, squeeze
from ...functional.quantized import batch_conv_bias_activation, bias_dtype
from ...tensor import Parameter, Tensor
from .. import batch_matmul_activation as Float
from .module import QuantizedModule, stored


class BatchMatMulActivation(Float.BatchMatMulActivation, QuantizedModule):
    """:class:`megengine.module.BatchMatMulActivation` of quantised tensors; the arguments are its.

    The bias has one number for each of the ``out_features`` rows, as in MegEngine, where the floating-point layer adds it along
    the columns: the two agree where the bias is 0 or all its numbers are the same.

    Args:
        dtype: quantised dtype of the result.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.BatchMatMulActivation(2, 3, 4))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4))).dtype
        ('megengine.module.quantized.batch_matmul_activation', dtype('int8'), dtype('int8'))
    """

    def __init__(
        self,
        batch: int,
        in_features: int,
        out_features: int,
        bias: bool = True,
        nonlinear_mode: str = "identity",
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch, in_features, out_features, bias, nonlinear_mode, **kwargs)
        self.output_dtype = dtype

    def calc_bmm_quantized(self, inp: Tensor) -> Tensor:
        """The products: a convolution of one element for each example."""
        bias: Any = self.bias
        bias = bias.astype(bias_dtype(inp, self.weight))
        images, mode = expand_dims(inp, [-1]), self.nonlinear_mode
        return squeeze(
            batch_conv_bias_activation(images, self.weight, bias, self.output_dtype, nonlinear_mode=mode), -1
        )

    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """The layer of integers that a :class:`megengine.module.qat.BatchMatMulActivation` becomes."""
        made = cls(
            qat_module.batch,
            qat_module.in_features,
            qat_module.out_features,
            qat_module.bias is not None,
            qat_module.nonlinear_mode,
            dtype=qat_module.get_activation_dtype(),
            name=qat_module.name,
        )
        weight = expand_dims(qat_module.weight.astype(qat_module.get_weight_dtype()), [-1, -2])
        made.weight = stored(weight, qat_module.weight)
        shape = (1, made.out_features, 1, 1)
        if qat_module.bias is not None:
            made.bias = stored(qat_module.bias.reshape(shape), qat_module.bias)
        else:
            made.bias = Parameter(np.zeros(shape, np.float32))
        return made

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_bmm_quantized(inp)
