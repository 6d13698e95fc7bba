"""Transposed convolution and batch normalisation as one layer, which quantisation folds together."""

from __future__ import annotations

from typing import Any

from ..functional import relu
from ..tensor import Tensor
from .batchnorm import BatchNorm2d
from .conv import ConvTranspose2d
from .module import Module


class _ConvTransposeBnActivation2d(Module):
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
        eps: float = 1e-5,
        momentum: float = 0.9,
        affine: bool = True,
        track_running_stats: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conv_transpose2d = ConvTranspose2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            bias,
            conv_mode,
            compute_mode,
            **kwargs,
        )
        self.bn = BatchNorm2d(out_channels, eps, momentum, affine, track_running_stats)


class ConvTransposeBn2d(_ConvTransposeBnActivation2d):
    """:class:`ConvTranspose2d` (``conv_transpose2d``) followed by :class:`BatchNorm2d` (``bn``); the arguments are theirs.

    Example:
        >>> M.ConvTransposeBn2d(3, 8, 3)(Tensor(np.ones((2, 3, 4, 4), "float32"))).shape
        (2, 8, 6, 6)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.bn(self.conv_transpose2d(inp))


class ConvTransposeBnRelu2d(_ConvTransposeBnActivation2d):
    """:class:`ConvTransposeBn2d` followed by relu.

    Example:
        >>> M.ConvTransposeBnRelu2d(3, 8, 3)(Tensor(np.ones((2, 3, 4, 4), "float32"))).shape
        (2, 8, 6, 6)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return relu(self.bn(self.conv_transpose2d(inp)))
