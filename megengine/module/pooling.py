"""Pooling layers."""

from __future__ import annotations

from typing import Any

from ..functional import avg_pool2d, max_pool2d
from ..functional._settings import sizes
from ..tensor import Tensor
from .module import Module


class _PoolNd(Module):
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes(kernel_size, 2, "kernel_size")
        sizes(stride or kernel_size, 2, "stride")
        sizes(padding, 2, "padding", 0)
        self.kernel_size = kernel_size
        self.stride = stride or kernel_size
        self.padding = padding

    def _module_info_string(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_PoolNd):
    """2-D max pooling, see :func:`~megengine.functional.nn.max_pool2d`.

    Args:
        kernel_size: height and width of the windows, or one number for both.
        stride: step between windows. Default: ``kernel_size``
        padding: rows and columns around the input ``(N, C, H, W)`` that count as smallest. Default: 0

    Example:
        >>> M.MaxPool2d(2)(Tensor(np.arange(16, dtype="float32").reshape(1, 1, 4, 4))).numpy()
        array([[[[ 5.,  7.],
                 [13., 15.]]]], dtype=float32)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return max_pool2d(inp, self.kernel_size, self.stride, self.padding)


class AvgPool2d(_PoolNd):
    """2-D average pooling, see :func:`~megengine.functional.nn.avg_pool2d`.

    Args:
        kernel_size: height and width of the windows, or one number for both.
        stride: step between windows. Default: ``kernel_size``
        padding: rows and columns of zeros around the input ``(N, C, H, W)``. Default: 0
        mode: ``"average"`` counts the padding, ``"average_count_exclude_padding"``, the default, does not.

    Example:
        >>> M.AvgPool2d(2)(Tensor(np.arange(16, dtype="float32").reshape(1, 1, 4, 4))).numpy()
        array([[[[ 2.5,  4.5],
                 [10.5, 12.5]]]], dtype=float32)
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        mode: str = "average_count_exclude_padding",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, stride, padding, **kwargs)
        self.mode = mode

    def forward(self, inp: Tensor) -> Tensor:
        return avg_pool2d(inp, self.kernel_size, self.stride, self.padding, self.mode)

    def _module_info_string(self) -> str:
        return f"{super()._module_info_string()}, mode={self.mode}"
