"""What the layers of conv.py share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..functional._settings import require_mode, sizes
from ..functional.nn import pad
from ..tensor import Parameter, Tensor
from . import init
from .module import Module

PADDING_MODES = ("zeros", "reflect", "replicate")


class _ConvNd(Module):
    """What convolutions share: checked settings, and a weight and bias with their start values."""

    #: number of spatial dimensions
    _spatial = 2
    conv_mode = "cross_correlation"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        output_padding: Any,
        dilation: Any,
        groups: int,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.in_channels = sizes(in_channels, 1, "in_channels")[0]
        self.out_channels = sizes(out_channels, 1, "out_channels")[0]
        self.groups = sizes(groups, 1, "groups")[0]
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ValueError(
                    f"{name} must be divisible by groups, {getattr(self, name)} is not divisible by {self.groups}"
                )
        self.kernel_size = self._setting(kernel_size, "kernel_size")
        self.stride = self._setting(stride, "stride")
        self.padding = self._setting(padding, "padding", 0)
        self.output_padding = output_padding
        self.dilation = self._setting(dilation, "dilation")
        self.weight = Parameter(np.zeros(self._infer_weight_shape(), np.float32))
        self.bias = Parameter(np.zeros(self._infer_bias_shape(), np.float32)) if bias else None
        self.reset_parameters()

    def _setting(self, value: Any, name: str, least: int = 1) -> Any:
        """A size for each spatial dimension; with one dimension the size itself."""
        found = sizes(value, self._spatial, name, least)
        return found if self._spatial > 1 else found[0]

    def _each(self, setting: Any) -> tuple[int, ...]:
        return setting if isinstance(setting, tuple) else (setting,)

    def _get_fanin(self) -> int:
        return math.prod(self._each(self.kernel_size)) * self.in_channels

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        init.normal_(self.weight, 0.0, math.sqrt(1 / self._get_fanin()))
        if self.bias is not None:
            init.zeros_(self.bias)

    def _infer_weight_shape(self) -> tuple[int, ...]:
        return self._kernel_shape(self.out_channels, self.in_channels)

    def _kernel_shape(self, first: int, second: int) -> tuple[int, ...]:
        kernel = self._each(self.kernel_size)
        if self.groups == 1:
            return (first, second, *kernel)
        return (self.groups, first // self.groups, second // self.groups, *kernel)

    def _infer_bias_shape(self) -> tuple[int, ...]:
        return (1, self.out_channels, *[1] * self._spatial)

    def _module_info_string(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1)):
            if set(self._each(getattr(self, name))) != {usual}:
                parts.append(f"{name}={getattr(self, name)}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        return ", ".join(parts)


class PaddedConv(_ConvNd):
    """Base of convolutions whose padding may be other than zeros."""

    padding_mode = "zeros"
    _function: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        conv_mode: str = "cross_correlation",
        compute_mode: str = "default",
        padding_mode: str = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, bias, **kwargs)
        self.conv_mode = conv_mode
        self.compute_mode = compute_mode
        self.padding_mode = require_mode(padding_mode, PADDING_MODES, "padding_mode")

    def get_pad_witdth(self) -> tuple[tuple[int, int], ...]:
        """Padding before and after each dimension of the input (the name is MegEngine's)."""
        return ((0, 0), (0, 0), *((p, p) for p in self._each(self.padding)))

    def _padded(self, inp: Tensor) -> tuple[Tensor, Any]:
        """The input with what is not zeros already around it, and the padding that remains."""
        if self.padding_mode == "zeros":
            return inp, self.padding
        return pad(inp, self.get_pad_witdth(), self.padding_mode), 0

    def calc_conv(self, inp: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer's function with another weight and bias."""
        inp, padding = self._padded(inp)
        settings = (self.stride, padding, self.dilation, self.groups, self.conv_mode, self.compute_mode)
        return self._function(inp, weight, bias, *settings)

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv(inp, self.weight, self.bias)
