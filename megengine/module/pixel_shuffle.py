"""Pixel shuffling as a module."""

from __future__ import annotations

from typing import Any

from .._help.ranges import within
from ..functional.nn import pixel_shuffle
from ..tensor import Tensor
from .module import Module


class PixelShuffle(Module):
    """Pixel shuffle (Shi et al., 2016): channels laid out as pixels, see :func:`~megengine.functional.nn.pixel_shuffle`.

    ``(*, C * r ** 2, H, W)`` becomes ``(*, C, H * r, W * r)``.

    Args:
        upscale_factor: r.

    Example:
        >>> M.PixelShuffle(2)(Tensor(np.arange(4, dtype="float32").reshape(1, 4, 1, 1))).numpy()
        array([[[[0., 1.],
                 [2., 3.]]]], dtype=float32)
    """

    def __init__(self, upscale_factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.upscale_factor = within("upscale_factor", upscale_factor, 1)

    def forward(self, x: Tensor) -> Tensor:
        return pixel_shuffle(x, self.upscale_factor)
