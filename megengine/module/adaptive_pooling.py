"""Adaptive pooling layers."""

from __future__ import annotations

from typing import Any

from ..functional import adaptive_avg_pool2d, adaptive_max_pool2d
from ..functional._settings import sizes
from ..tensor import Tensor
from .module import Module


class _AdaptivePoolNd(Module):
    def __init__(self, oshp: tuple[int, int] | int | Tensor, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(oshp, Tensor):
            sizes(oshp, 2, "oshp")
        self.oshp = oshp


class AdaptiveMaxPool2d(_AdaptivePoolNd):
    """2-D adaptive max pooling to an output size, see :func:`~megengine.functional.nn.adaptive_max_pool2d`.

    Args:
        oshp: height and width of the output, or one number for both.

    Example:
        >>> M.AdaptiveMaxPool2d((2, 2))(Tensor(np.arange(16, dtype="float32").reshape(1, 1, 4, 4))).numpy()
        array([[[[ 5.,  7.],
                 [13., 15.]]]], dtype=float32)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return adaptive_max_pool2d(inp, self.oshp)


class AdaptiveAvgPool2d(_AdaptivePoolNd):
    """2-D adaptive average pooling to an output size, see :func:`~megengine.functional.nn.adaptive_avg_pool2d`.

    Args:
        oshp: height and width of the output, or one number for both.

    Example:
        >>> M.AdaptiveAvgPool2d(1)(Tensor(np.arange(16, dtype="float32").reshape(1, 1, 4, 4))).numpy()
        array([[[[7.5]]]], dtype=float32)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return adaptive_avg_pool2d(inp, self.oshp)
