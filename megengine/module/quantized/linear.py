"""Fully connected layers of integers."""

from __future__ import annotations

from typing import Any, Self

from ...functional import linear, relu
from ...functional.quantized import bias_dtype
from ...tensor import Parameter, Tensor
from .module import QuantizedModule, stored


class Linear(QuantizedModule):
    """:class:`megengine.module.Linear` of quantised tensors.

    Args:
        dtype: quantised dtype of the result; qint32 with the product of the scales if None. Default: None

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.Linear(3, 4))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3))).dtype
        ('megengine.module.quantized.linear', dtype('int8'), dtype('int8'))
    """

    def __init__(self, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        self.output_dtype = dtype

    def calc_linear_quantized(self, inp: Tensor, nonlinear_mode: str = "identity") -> Tensor:
        """The product, with ``"identity"`` or ``"relu"``."""
        if self.training:
            raise ValueError("quantized module only support inference.")
        assert nonlinear_mode in ("identity", "relu"), (
            f"nonlinear_mode must be identity or relu, not {nonlinear_mode!r}"
        )
        weight: Any = self.weight
        out = linear(inp, weight, None if self.bias is None else self.bias.astype(bias_dtype(inp, weight)))
        out = out if self.output_dtype is None else out.astype(self.output_dtype)
        return relu(out) if nonlinear_mode == "relu" else out

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_linear_quantized(inp)

    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """The layer of integers that a :class:`megengine.module.qat.Linear` becomes."""
        made = cls(dtype=qat_module.get_activation_dtype(), name=qat_module.name)
        made.weight = stored(qat_module.weight.astype(qat_module.get_weight_dtype()), qat_module.weight)
        if qat_module.bias is not None:
            made.bias = stored(qat_module.bias, qat_module.bias)
        return made


class LinearRelu(Linear):
    """:class:`megengine.module.LinearRelu` of quantised tensors; the arguments are those of :class:`Linear`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.LinearRelu(3, 4))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3))).dtype
        ('megengine.module.quantized.linear', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_linear_quantized(inp, "relu")
