"""Transforms that cut a window out of images, and shift points and cut masks with them."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...._help.ranges import within
from ...opencv import opencv
from ...vectorise import vectorised
from . import functional as F
from .drawn import DrawnTransform, Shape
from .geometry import moved

__all__ = ["CenterCrop", "RandomCrop", "RandomResizedCrop"]


def _pair(size: int | Sequence[int]) -> Sequence[int]:
    return (size, size) if isinstance(size, int) else size


def _center_crop_whole(transform: CenterCrop, images: np.ndarray) -> Any:
    if images.ndim != 4:
        return NotImplemented
    (x, y), (height, width) = transform._drawn[0], transform.output_size
    return images[:, y : y + height, x : x + width]


class CenterCrop(DrawnTransform):
    """Cuts out the middle of images.

    Args:
        output_size: height and width of what is cut out, or one number for both.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Raises:
        AssertionError: if an image is smaller than ``output_size``.

    Example:
        >>> from megengine.data.transform import CenterCrop
        >>> CenterCrop((2, 4)).apply(np.arange(48).reshape(6, 8, 1))[:, :, 0]
        array([[18, 19, 20, 21],
               [26, 27, 28, 29]])
    """

    _random = False

    def __init__(self, output_size: int | Sequence[int], *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.output_size = _pair(output_size)
        within("output_size", min(self.output_size), 1)

    def _draw(self, shape: Shape) -> tuple[int, int]:
        height, width, _ = shape
        crop_height, crop_width = self.output_size
        if crop_height > height or crop_width > width:
            raise AssertionError(f"cannot cut {crop_height}x{crop_width} out of an image of {height}x{width}")
        return round((width - crop_width) / 2), round((height - crop_height) / 2)

    def _shape_after(self, shape: Shape) -> Shape:
        return *self.output_size, shape[2]

    @vectorised(_center_crop_whole)
    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        (x, y), (height, width) = self._drawn, self.output_size
        return image[y : y + height, x : x + width]

    def _apply_coords(self, coords: np.ndarray) -> np.ndarray:
        x, y = self._drawn
        return moved(coords, -x, -y)

    @vectorised(_center_crop_whole)
    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return self._apply_image(mask)


def _random_crop_image_whole(transform: RandomCrop, images: np.ndarray) -> Any:
    return _random_crop_whole(transform, images, transform.padding_value)


def _random_crop_mask_whole(transform: RandomCrop, masks: np.ndarray) -> Any:
    return _random_crop_whole(transform, masks, transform.padding_maskvalue)


def _random_crop_whole(transform: RandomCrop, images: np.ndarray, value: Any) -> Any:
    if images.ndim != 4 or not len(images):
        return NotImplemented
    corners, (height, width) = transform._drawn, transform.output_size
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    right, bottom = max(x for x, _ in corners) + width, max(y for _, y in corners) + height
    padded = F.crop(images, left, top, right - left, bottom - top, value)
    cropped = np.empty((len(images), height, width, images.shape[3]), padded.dtype)
    for target, image, (x, y) in zip(cropped, padded, corners, strict=True):
        target[:] = image[y - top : y - top + height, x - left : x - left + width]
    return cropped


class RandomCrop(DrawnTransform):
    """Cuts windows out of images at random places, after putting a border around them.

    An image that is still smaller than the window gets a further border below and on the right. Masks may be of shape (H, W).

    Args:
        output_size: height and width of the windows, or one number for both.
        padding_size: size of the border, as for :class:`Pad`.
        padding_value: colour of the border, as for :class:`Pad`.
        padding_maskvalue: class of the border in masks.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Raises:
        ValueError: if ``padding_size`` is not of 1, 2 or 4 numbers.

    Example:
        >>> from megengine.data.transform import RandomCrop
        >>> RandomCrop(32, padding_size=4).apply(np.zeros((32, 32, 3), np.uint8)).shape
        (32, 32, 3)
    """

    def __init__(
        self,
        output_size: int | Sequence[int],
        padding_size: int | Sequence[int] = 0,
        padding_value: Any = (0, 0, 0),
        padding_maskvalue: int = 0,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        super().__init__(order)
        self.output_size = _pair(output_size)
        within("output_size", min(self.output_size), 1)
        self.padding_size = F.four_sides(padding_size)
        within("padding_size", min(self.padding_size), 0)
        self.padding_value = padding_value
        self.padding_maskvalue = padding_maskvalue

    def _draw(self, shape: Shape) -> tuple[int, int]:
        """The window's place, in the coordinates of the image without its border."""
        height, width, _ = shape
        top, bottom, left, right = self.padding_size
        crop_height, crop_width = self.output_size
        x = np.random.randint(0, max(0, left + width + right - crop_width) + 1)
        y = np.random.randint(0, max(0, top + height + bottom - crop_height) + 1)
        return int(x) - left, int(y) - top

    def _shape_after(self, shape: Shape) -> Shape:
        return *self.output_size, shape[2]

    @vectorised(_random_crop_image_whole)
    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        return self._cut(image, self.padding_value)

    def _apply_coords(self, coords: np.ndarray) -> np.ndarray:
        x, y = self._drawn
        return moved(coords, -x, -y)

    @vectorised(_random_crop_mask_whole)
    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        if mask.ndim == 2:
            return self._cut(mask[:, :, np.newaxis], self.padding_maskvalue)[:, :, 0]
        return self._cut(mask, self.padding_maskvalue)

    def _cut(self, image: np.ndarray, value: Any) -> np.ndarray:
        if image.ndim != 3:
            raise ValueError(f"an image must have 3 dimensions (H, W, C), not {image.ndim}")
        (x, y), (height, width) = self._drawn, self.output_size
        return F.crop(image, x, y, width, height, value)


def _resized_crop_image_whole(transform: RandomResizedCrop, images: np.ndarray) -> Any:
    interpolation = transform.interpolation
    return (
        NotImplemented if isinstance(interpolation, Sequence) else _resized_crop_whole(transform, images, interpolation)
    )


def _resized_crop_mask_whole(transform: RandomResizedCrop, masks: np.ndarray) -> Any:
    return _resized_crop_whole(transform, masks, F.INTER_NEAREST)


def _resized_crop_whole(transform: RandomResizedCrop, images: np.ndarray, interpolation: int) -> Any:
    if images.ndim != 4 or not images.size:
        return NotImplemented
    resample = opencv("resize").resize
    height, width = transform.output_size
    resized = np.empty((len(images), height, width, images.shape[3]), images.dtype)
    for target, image, (x, y, w, h) in zip(resized, images, transform._drawn, strict=True):
        resample(image[y : y + h, x : x + w], (width, height), target, interpolation=interpolation)
    return resized


class RandomResizedCrop(DrawnTransform):
    """Cuts out windows of random place, area and aspect ratio, and resamples them to one size.

    The area is uniform in ``scale_range``, the logarithm of width / height uniform in that of ``ratio_range``. Of ten windows
    the first that fits is taken; if none does, the largest in the middle with a ratio within ``ratio_range``.

    Args:
        output_size: height and width of the result, or one number for both.
        scale_range: smallest and largest area, as a part of the image's.
        ratio_range: smallest and largest width / height.
        interpolation: the method, one of ``cv2.INTER_*``, by default bilinear; of a sequence Python's ``random`` takes one.
            Masks take the nearest pixel.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Raises:
        AssertionError: if a range is not (smaller, larger).

    Source: C. Szegedy et al., "Going deeper with convolutions", 2015.

    Example:
        >>> from megengine.data.transform import RandomResizedCrop
        >>> RandomResizedCrop(24).apply(np.zeros((60, 80, 3), np.uint8)).shape
        (24, 24, 3)
    """

    def __init__(
        self,
        output_size: int | Sequence[int],
        scale_range: tuple[float, float] = (0.08, 1.0),
        ratio_range: tuple[float, float] = (3.0 / 4, 4.0 / 3),
        interpolation: int | Sequence[int] = F.INTER_LINEAR,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        super().__init__(order)
        self.output_size = _pair(output_size)
        within("output_size", min(self.output_size), 1)
        for name, (low, high) in (("scale_range", scale_range), ("ratio_range", ratio_range)):
            within(name, low, 0)
            if not low <= high:
                raise AssertionError(f"{name} must be (smallest, largest), not {(low, high)}")
        self.scale_range = scale_range
        self.ratio_range = ratio_range
        self.interpolation = interpolation

    def _draw(self, shape: Shape) -> tuple[int, int, int, int]:
        """The window as (x, y, width, height)."""
        height, width, _ = shape
        for _ in range(10):
            area = np.random.uniform(*self.scale_range) * (height * width)
            ratio = math.exp(np.random.uniform(math.log(self.ratio_range[0]), math.log(self.ratio_range[1])))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                return int(np.random.randint(0, width - w + 1)), int(np.random.randint(0, height - h + 1)), w, h
        w, h = width, height
        if width / height < min(self.ratio_range):
            h = round(width / min(self.ratio_range))
        elif width / height > max(self.ratio_range):
            w = round(height * max(self.ratio_range))
        return (width - w) // 2, (height - h) // 2, w, h

    def _shape_after(self, shape: Shape) -> Shape:
        return *self.output_size, shape[2]

    @vectorised(_resized_crop_image_whole)
    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        return self._cut(image, self.interpolation)

    def _apply_coords(self, coords: np.ndarray) -> np.ndarray:
        x, y, w, h = self._drawn
        height, width = self.output_size
        placed = coords.copy()
        placed[:, 0] = (coords[:, 0] - x) * width / w
        placed[:, 1] = (coords[:, 1] - y) * height / h
        return placed

    @vectorised(_resized_crop_mask_whole)
    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return self._cut(mask, F.INTER_NEAREST)

    def _cut(self, image: np.ndarray, interpolation: int | Sequence[int]) -> np.ndarray:
        x, y, w, h = self._drawn
        return F.resize(image[y : y + h, x : x + w], self.output_size, interpolation)
