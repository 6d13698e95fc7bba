"""Convolutions of integers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ...functional import relu
from ...functional.quantized import bias_dtype, conv_bias_activation, conv_transpose2d
from ...tensor import Parameter, Tensor
from .. import conv as Float
from ..settings import settings_of
from .module import QuantizedModule, stored


class Conv2d(Float.Conv2d, QuantizedModule):
    """:class:`megengine.module.Conv2d` of quantised images; the arguments are its.

    Args:
        dtype: quantised dtype of the result.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.Conv2d(3, 8, 3))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4, 4))).dtype
        ('megengine.module.quantized.conv', dtype('int8'), dtype('int8'))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        conv_mode: str = "cross_correlation",
        compute_mode: str = "default",
        dtype: Any = None,
        padding_mode: str = "zeros",
        **kwargs: Any,
    ) -> None:
        window = (kernel_size, stride, padding, dilation, groups)
        super().__init__(in_channels, out_channels, *window, True, conv_mode, compute_mode, padding_mode, **kwargs)
        self.output_dtype = dtype

    def calc_conv_quantized(self, inp: Tensor, nonlinear_mode: str = "identity") -> Tensor:
        """The convolution with an activation of :func:`megengine.functional.quantized.conv_bias_activation`."""
        bias: Any = self.bias
        bias = bias.astype(bias_dtype(inp, self.weight))
        inp, padding = self._padded(inp)
        return conv_bias_activation(
            inp,
            self.weight,
            bias,
            self.output_dtype,
            self.stride,
            padding,
            self.dilation,
            self.groups,
            nonlinear_mode,
            self.conv_mode,
            self.compute_mode,
        )

    @classmethod
    def like(cls, conv: Any, dtype: Any, name: str | None) -> Self:
        """A layer with the settings of a floating-point convolution."""
        settings = {k: v for k, v in settings_of(conv).items() if k != "bias"}
        return cls(**settings, dtype=dtype, name=name)

    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """The layer of integers that a :class:`megengine.module.qat.Conv2d` becomes."""
        made = cls.like(qat_module, qat_module.get_activation_dtype(), qat_module.name)
        made.weight = stored(qat_module.weight.astype(qat_module.get_weight_dtype()), qat_module.weight)
        if qat_module.bias is not None:
            made.bias = stored(qat_module.bias, qat_module.bias)
        else:
            made.bias = Parameter(np.zeros(qat_module._infer_bias_shape(), np.float32))
        return made

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_quantized(inp)


class ConvRelu2d(Conv2d):
    """:class:`megengine.module.ConvRelu2d` of quantised images; the arguments are those of :class:`Conv2d`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.ConvRelu2d(3, 8, 3))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4, 4))).dtype
        ('megengine.module.quantized.conv', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_quantized(inp, "relu")


class ConvTranspose2d(Float.ConvTranspose2d, QuantizedModule):
    """:class:`megengine.module.ConvTranspose2d` of quantised images; the arguments are its.

    Args:
        dtype: quantised dtype of the result.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.ConvTranspose2d(3, 8, 3))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4, 4))).dtype
        ('megengine.module.quantized.conv', dtype('int8'), dtype('int8'))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        output_padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        conv_mode: str = "cross_correlation",
        compute_mode: str = "default",
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        window = (kernel_size, stride, padding, output_padding, dilation, groups)
        super().__init__(in_channels, out_channels, *window, bias, conv_mode, compute_mode, **kwargs)
        self.output_dtype = dtype

    @classmethod
    def like(cls, layer: Any, dtype: Any, name: str | None) -> Self:
        """A layer with the settings of a floating-point transposed convolution."""
        return cls(**settings_of(layer), dtype=dtype, name=name)

    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """The layer of integers that a :class:`megengine.module.qat.ConvTranspose2d` becomes."""
        made = cls.like(qat_module, qat_module.get_activation_dtype(), qat_module.name)
        made.weight = stored(qat_module.weight.astype(qat_module.get_weight_dtype()), qat_module.weight)
        made.bias = None if qat_module.bias is None else stored(qat_module.bias, qat_module.bias)
        return made

    def calc_conv_transpose2d_quantized(self, inp: Tensor, nonlinear_mode: str = "identity") -> Tensor:
        """The transposed convolution, with ``"identity"`` or ``"relu"``."""
        if nonlinear_mode not in ("identity", "relu"):
            raise ValueError(f"nonlinear_mode must be identity or relu, not {nonlinear_mode!r}")
        out = conv_transpose2d(
            inp,
            self.weight,
            None if self.bias is None else self.bias.astype(bias_dtype(inp, self.weight)),
            self.output_dtype,
            self.stride,
            self.padding,
            self.output_padding,
            self.dilation,
            self.groups,
            self.conv_mode,
            self.compute_mode,
        )
        return relu(out) if nonlinear_mode == "relu" else out

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_transpose2d_quantized(inp)


class ConvTransposeRelu2d(ConvTranspose2d):
    """:class:`megengine.module.ConvTransposeRelu2d` of quantised images; the arguments are those of :class:`ConvTranspose2d`.

    Example:
        >>> q = megengine.quantization
        >>> net = M.Sequential(M.QuantStub(), M.ConvTransposeRelu2d(3, 8, 3))
        >>> net = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(F.ones((2, 3, 4, 4)))
        >>> net = q.quantize(net)
        >>> net.eval()
        >>> type(net[1]).__module__, net[1].weight.dtype, net(F.ones((2, 3, 4, 4))).dtype
        ('megengine.module.quantized.conv', dtype('int8'), dtype('int8'))
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_transpose2d_quantized(inp, "relu")
