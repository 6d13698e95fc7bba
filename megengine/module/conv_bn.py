"""Convolution and batch normalisation as one layer, which quantisation folds together."""

from __future__ import annotations

from typing import Any

from ..functional import relu
from ..tensor import Tensor
from .batchnorm import BatchNorm2d
from .conv import Conv2d
from .module import Module


class _ConvBnActivation2d(Module):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        conv_mode: str = "cross_correlation",
        compute_mode: str = "default",
        eps: float = 1e-5,
        momentum: float = 0.9,
        affine: bool = True,
        track_running_stats: bool = True,
        padding_mode: str = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conv = Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            conv_mode,
            compute_mode,
            padding_mode,
            **kwargs,
        )
        self.bn = BatchNorm2d(out_channels, eps, momentum, affine, track_running_stats)


class ConvBn2d(_ConvBnActivation2d):
    """:class:`Conv2d` (``conv``) followed by :class:`BatchNorm2d` (``bn``); the arguments are theirs.

    Example:
        >>> layer = M.ConvBn2d(3, 8, 3)
        >>> layer(Tensor(np.ones((2, 3, 4, 4), "float32"))).shape
        (2, 8, 2, 2)
        >>> [name for name, _ in layer.named_parameters()]
        ['bn.bias', 'bn.weight', 'conv.bias', 'conv.weight']
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.bn(self.conv(inp))


class ConvBnRelu2d(_ConvBnActivation2d):
    """:class:`ConvBn2d` followed by relu.

    Example:
        >>> layer = M.ConvBnRelu2d(3, 8, 3)
        >>> bool((layer(Tensor(np.ones((2, 3, 4, 4), "float32"))).numpy() >= 0).all())
        True
    """

    def forward(self, inp: Tensor) -> Tensor:
        return relu(self.bn(self.conv(inp)))
