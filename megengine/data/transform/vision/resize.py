"""Transforms that resample images to another size, and scale points and masks with them."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...._help.ranges import within
from ...opencv import opencv
from ...vectorise import vectorised
from . import functional as F
from .drawn import DrawnTransform, Shape

__all__ = ["RandomResize", "Resize", "ShortestEdgeResize"]


class _Resizing(DrawnTransform):
    """Resamples images; a subclass draws (height, width, new height, new width)."""

    def __init__(self, interpolation: int | Sequence[int], order: Sequence[str] | None) -> None:
        super().__init__(order)
        self.interpolation = interpolation

    def _draw(self, shape: Shape) -> tuple[int, int, int, int]:
        height, width, _ = shape
        new_height, new_width = self._new_size(height, width)
        return height, width, new_height, new_width

    def _new_size(self, height: int, width: int) -> Sequence[int]:
        raise NotImplementedError(f"{type(self).__name__} does not define _new_size")

    def _resized(self, image: np.ndarray, interpolation: int | Sequence[int]) -> np.ndarray:
        height, width, new_height, new_width = self._drawn
        if height == new_height and width == new_width:
            return image
        return F.resize(image, (new_height, new_width), interpolation)

    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        return self._resized(image, self.interpolation)

    def _apply_coords(self, coords: np.ndarray) -> np.ndarray:
        height, width, new_height, new_width = self._drawn
        if height == new_height and width == new_width:
            return coords
        scaled = coords.copy()  # the data set's own points stay
        scaled[:, 0] = coords[:, 0] * (new_width / width)
        scaled[:, 1] = coords[:, 1] * (new_height / height)
        return scaled

    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return self._resized(mask, F.INTER_NEAREST)


def _resize_image_whole(transform: Resize, images: np.ndarray) -> Any:
    interpolation = transform.interpolation
    return NotImplemented if isinstance(interpolation, Sequence) else _resize_whole(transform, images, interpolation)


def _resize_mask_whole(transform: Resize, masks: np.ndarray) -> Any:
    return _resize_whole(transform, masks, F.INTER_NEAREST)


def _resize_whole(transform: Resize, images: np.ndarray, interpolation: int) -> Any:
    if images.ndim != 4 or not images.size:
        return NotImplemented
    height, width, new_height, new_width = transform._drawn[0]
    if height == new_height and width == new_width:
        return images
    resample = opencv("resize").resize
    resized = np.empty((len(images), new_height, new_width, images.shape[3]), images.dtype)
    for target, image in zip(resized, images, strict=True):
        resample(image, (new_width, new_height), target, interpolation=interpolation)
    return resized


class Resize(_Resizing):
    """Resamples images to a given size.

    Args:
        output_size: (height, width), or one number for the shorter side; the longer one then keeps the aspect ratio, rounded
            down.
        interpolation: the method, by default bilinear; of a sequence Python's ``random`` takes one:

            * ``cv2.INTER_NEAREST`` (0), the nearest pixel, which masks always take,
            * ``cv2.INTER_LINEAR`` (1), bilinear,
            * ``cv2.INTER_CUBIC`` (2), bicubic over 4 x 4 pixels,
            * ``cv2.INTER_AREA`` (3), the mean of the covered area, for shrinking,
            * ``cv2.INTER_LANCZOS4`` (4), Lanczos over 8 x 8 pixels.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Example:
        >>> from megengine.data.transform import Resize
        >>> Resize(30).apply(np.zeros((60, 80, 3), np.uint8)).shape
        (30, 40, 3)
    """

    _random = False

    def __init__(
        self,
        output_size: int | Sequence[int],
        interpolation: int | Sequence[int] = F.INTER_LINEAR,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        super().__init__(interpolation, order)
        self.output_size = output_size
        within("output_size", output_size if isinstance(output_size, int) else min(output_size), 1)

    def _new_size(self, height: int, width: int) -> Sequence[int]:
        size = self.output_size
        if not isinstance(size, int):
            return size
        if min(height, width) == size:
            return height, width
        return (size, int(size * width / height)) if height < width else (int(size * height / width), size)

    def _shape_after(self, shape: Shape) -> Shape:
        return *self._new_size(shape[0], shape[1]), shape[2]

    @vectorised(_resize_image_whole)
    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        return self._resized(image, self.interpolation)

    @vectorised(_resize_mask_whole)
    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return self._resized(mask, F.INTER_NEAREST)


class ShortestEdgeResize(_Resizing):
    """Resamples images so that their shorter side has a random length, keeping the aspect ratio.

    Args:
        min_size: lengths of the shorter side: (smallest, largest), or the lengths to choose from, see ``sample_style``; one
            number is the length.
        max_size: limit on the longer side, which goes before.
        sample_style: "range" takes an integer from the smallest to the largest, "choice" one of those given.
        interpolation: the method, as for :class:`Resize`.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Raises:
        NotImplementedError: for another ``sample_style``.

    Example:
        >>> from megengine.data.transform import ShortestEdgeResize
        >>> ShortestEdgeResize(30, 36).apply(np.zeros((60, 80, 3), np.uint8)).shape
        (27, 36, 3)
    """

    def __init__(
        self,
        min_size: int | Sequence[int],
        max_size: int,
        sample_style: str = "range",
        interpolation: int | Sequence[int] = F.INTER_LINEAR,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        super().__init__(interpolation, order)
        if sample_style not in ("range", "choice"):
            raise NotImplementedError(f"sample_style must be 'range' or 'choice', not {sample_style!r}")
        self.sample_style = sample_style
        within("min_size", min_size if isinstance(min_size, int) else min(min_size), 1)
        within("max_size", max_size, 1)
        self.min_size = (min_size, min_size) if isinstance(min_size, int) else min_size
        self.max_size = max_size

    def _new_size(self, height: int, width: int) -> tuple[int, int]:
        if self.sample_style == "range":
            size = np.random.randint(self.min_size[0], self.min_size[1] + 1)
        else:
            size = int(np.random.choice(self.min_size))
        scale = size / min(height, width)
        new_height, new_width = (size, scale * width) if height < width else (scale * height, size)
        if max(new_height, new_width) > self.max_size:
            scale = self.max_size / max(new_height, new_width)
            new_height, new_width = new_height * scale, new_width * scale
        return round(new_height), round(new_width)


class RandomResize(_Resizing):
    """Resamples images to a random multiple of their size.

    Args:
        scale_range: smallest and largest factor; it is uniform between them.
        interpolation: the method, as for :class:`Resize`.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Example:
        >>> from megengine.data.transform import RandomResize
        >>> RandomResize((0.5, 0.5)).apply(np.zeros((60, 80, 3), np.uint8)).shape
        (30, 40, 3)
    """

    def __init__(
        self,
        scale_range: tuple[float, float],
        interpolation: int | Sequence[int] = F.INTER_LINEAR,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        super().__init__(interpolation, order)
        self.scale_range = scale_range
        within("scale_range", min(scale_range), 0)
        within("scale_range", max(scale_range), 0, above=True)

    def _new_size(self, height: int, width: int) -> tuple[int, int]:
        scale = np.random.uniform(*self.scale_range)
        return round(height * scale), round(width * scale)
