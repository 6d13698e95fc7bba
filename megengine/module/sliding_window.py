"""Windows cut out of images, and images put together from windows."""

from __future__ import annotations

from typing import Any

from ..functional import sliding_window, sliding_window_transpose
from ..functional._settings import sizes
from ..tensor import Tensor
from .module import Module


def _check_windows(kernel_size: Any, padding: Any, stride: Any, dilation: Any) -> None:
    for name, value, least in (("kernel_size", kernel_size, 1), ("padding", padding, 0), ("stride", stride, 1)):
        sizes(value, 2, name, least)
    sizes(dilation, 2, "dilation")


class SlidingWindow(Module):
    """Sliding windows (im2col) of an image, see :func:`~megengine.functional.nn.sliding_window`.

    Args:
        kernel_size: height and width of the windows, or one number for both.
        padding: zeros around the input ``(N, C, H, W)``. Default: 0
        stride: step between windows. Default: 1
        dilation: spacing between the elements of a window. Default: 1

    Example:
        >>> M.SlidingWindow(2)(Tensor(np.ones((1, 3, 4, 5), "float32"))).shape
        (1, 3, 3, 4, 2, 2)
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        padding: int | tuple[int, int] = 0,
        stride: int | tuple[int, int] = 1,
        dilation: int | tuple[int, int] = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_windows(kernel_size, padding, stride, dilation)
        self.kernel_size = kernel_size
        self.padding = padding
        self.stride = stride
        self.dilation = dilation

    def forward(self, inp: Tensor) -> Tensor:
        return sliding_window(inp, self.kernel_size, self.padding, self.stride, self.dilation)


class SlidingWindowTranspose(Module):
    """Sum of windows into an image (col2im), see :func:`~megengine.functional.nn.sliding_window_transpose`.

    Args:
        output_size: height and width of the image, or one number for both.
        kernel_size: height and width of the windows, or one number for both.
        padding: rows and columns cut off around the image. Default: 0
        stride: step between windows. Default: 1
        dilation: spacing between the elements of a window. Default: 1

    Example:
        >>> M.SlidingWindowTranspose((1, 3), (1, 2))(Tensor(np.ones((1, 1, 1, 2, 1, 2), "float32"))).numpy()
        array([[[[1., 2., 1.]]]], dtype=float32)
    """

    def __init__(
        self,
        output_size: int | tuple[int, int],
        kernel_size: int | tuple[int, int],
        padding: int | tuple[int, int] = 0,
        stride: int | tuple[int, int] = 1,
        dilation: int | tuple[int, int] = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes(output_size, 2, "output_size")
        self.output_size = output_size
        _check_windows(kernel_size, padding, stride, dilation)
        self.kernel_size = kernel_size
        self.padding = padding
        self.stride = stride
        self.dilation = dilation

    def forward(self, inp: Tensor) -> Tensor:
        windows = (self.kernel_size, self.padding, self.stride, self.dilation)
        return sliding_window_transpose(inp, self.output_size, *windows)
