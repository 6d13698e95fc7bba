"""Transforms that move whole images, and the points and masks with them: layout, border, flips."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...._help.ranges import within
from ...vectorise import vectorised
from . import functional as F
from .drawn import DrawnTransform, Shape
from .meta_vision import VisionTransform

__all__ = ["Pad", "RandomHorizontalFlip", "RandomVerticalFlip", "ToMode"]


def _channels_first(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(image, 2, 0))


def _channels_first_whole(to_mode: ToMode, images: np.ndarray) -> Any:
    if images.ndim < 4 or to_mode.mode != "CHW":
        return NotImplemented
    return np.ascontiguousarray(np.moveaxis(images, 3, 1))


class ToMode(VisionTransform):
    """Brings images from (H, W, C) into the layout that networks take.

    Args:
        mode: the layout; only "CHW", channels first, exists.
        order: the kinds of a sample's fields, see :class:`VisionTransform`.

    Raises:
        AssertionError: for another mode.

    Example:
        >>> from megengine.data.transform import ToMode
        >>> ToMode("CHW").apply(np.zeros((32, 48, 3))).shape
        (3, 32, 48)
    """

    def __init__(self, mode: str = "CHW", *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        if mode != "CHW":
            raise AssertionError(f"mode must be 'CHW', not {mode!r}")
        self.mode = mode

    def _shape_after(self, shape: Shape) -> Shape:
        return shape[-1:] + shape[:-1]

    @vectorised(_channels_first_whole)
    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        return _channels_first(image)

    @vectorised(lambda self, coords: coords)
    def _apply_coords(self, coords: Any) -> Any:
        return coords

    @vectorised(_channels_first_whole)
    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return _channels_first(mask)


def moved(coords: np.ndarray, x: int, y: int) -> np.ndarray:
    """A copy of points, moved; the data set's own points stay.

    Example:
        >>> from megengine.data.transform.vision.geometry import moved
        >>> moved(np.array([[1, 2]]), 10, -1)
        array([[11,  1]])
    """
    coords = coords.copy()
    coords[:, 0] += x
    coords[:, 1] += y
    return coords


def _pad_image_whole(transform: Pad, images: np.ndarray) -> Any:
    return transform._padded(images, transform.value) if images.ndim == 4 else NotImplemented


def _pad_mask_whole(transform: Pad, masks: np.ndarray) -> Any:
    return transform._padded(masks, transform.mask_value) if masks.ndim == 4 else NotImplemented


class Pad(VisionTransform):
    """Puts a border of one colour around images.

    Args:
        size: pixels added: one number for all four sides, (bottom, right), or (top, bottom, left, right).
        value: the colour, one number a channel; a single number is that of the first channel, and the others are 0. A float,
            as in ``[103.5, 116.3, 123.7]``, makes the images float32.
        mask_value: the class of the border in masks.
        order: the kinds of a sample's fields, see :class:`VisionTransform`.

    Raises:
        ValueError: if ``size`` is not of 1, 2 or 4 numbers, or ``mask_value`` is no integer.

    Example:
        >>> from megengine.data.transform import Pad
        >>> Pad((1, 2), value=5).apply(np.ones((1, 2, 1), np.uint8))[:, :, 0]
        array([[1, 1, 5, 5],
               [5, 5, 5, 5]], dtype=uint8)
    """

    def __init__(
        self, size: int | Sequence[int] = 0, value: Any = 0, mask_value: int = 0, *, order: Sequence[str] | None = None
    ) -> None:
        super().__init__(order)
        self.size = F.four_sides(size)
        within("size", min(self.size), 0)
        self.value = value
        if not isinstance(mask_value, int):
            raise ValueError(f"mask_value must be an integer, not {mask_value!r}")
        self.mask_value = mask_value

    def _shape_after(self, shape: Shape) -> Shape:
        top, bottom, left, right = self.size
        return shape[0] + top + bottom, shape[1] + left + right, *shape[2:]

    def _padded(self, images: np.ndarray, value: Any) -> np.ndarray:
        top, bottom, left, right = self.size
        height, width = images.shape[-3:-1]
        return F.crop(images, -left, -top, width + left + right, height + top + bottom, value)

    @vectorised(_pad_image_whole)
    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        return F.pad(image, self.size, self.value)

    def _apply_coords(self, coords: np.ndarray) -> np.ndarray:
        top, _, left, _ = self.size
        return moved(coords, left, top)

    @vectorised(_pad_mask_whole)
    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return F.pad(mask, self.size, self.mask_value)


def _flip_whole(transform: _RandomFlip, images: np.ndarray) -> Any:
    if images.ndim != 4:
        return NotImplemented
    flipped = images.copy()
    for image, (is_flipped, _) in zip(flipped, transform._drawn, strict=True):
        if is_flipped:
            image[:] = F.flip(image, transform.axis)
    return flipped


class _RandomFlip(DrawnTransform):
    """Flips whole samples with a given probability; a subclass says along which axis."""

    axis: int

    def __init__(self, prob: float = 0.5, *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.prob = within("prob", prob, 0, 1)

    def _draw(self, shape: Shape) -> tuple[bool, int]:
        return np.random.random() < self.prob, shape[self.axis]

    def _shape_after(self, shape: Shape) -> Shape:
        return shape

    @vectorised(_flip_whole)
    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        flipped, _ = self._drawn
        return F.flip(image, self.axis) if flipped else image

    def _apply_coords(self, coords: np.ndarray) -> np.ndarray:
        flipped, size = self._drawn
        if not flipped:
            return coords
        mirrored = coords.copy()  # the data set's own points stay
        mirrored[:, 1 - self.axis] = size - coords[:, 1 - self.axis]
        return mirrored

    @vectorised(_flip_whole)
    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return self._apply_image(mask)


class RandomHorizontalFlip(_RandomFlip):
    """Swaps left and right with a given probability.

    Args:
        prob: the probability, 0 to 1.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Raises:
        ValueError: if ``prob`` is not from 0 to 1, or an image or a mask to flip is not of shape (H, W, C).

    Example:
        >>> from megengine.data.transform import RandomHorizontalFlip
        >>> RandomHorizontalFlip(prob=1).apply(np.array([[[1], [2], [3]]]))[0, :, 0]
        array([3, 2, 1])
    """

    axis = 1


class RandomVerticalFlip(_RandomFlip):
    """Swaps top and bottom with a given probability.

    Args:
        prob: the probability, 0 to 1.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Raises:
        ValueError: if ``prob`` is not from 0 to 1, or an image or a mask to flip is not of shape (H, W, C).

    Example:
        >>> from megengine.data.transform import RandomVerticalFlip
        >>> RandomVerticalFlip(prob=1).apply(np.array([[[1]], [[2]], [[3]]]))[:, 0, 0]
        array([3, 2, 1])
    """

    axis = 0
