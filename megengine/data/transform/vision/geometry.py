"""Transforms that move pixels, and the points and masks with them."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...vectorise import vectorised
from .meta_vision import VisionTransform

__all__ = ["CenterCrop", "RandomHorizontalFlip", "RandomVerticalFlip", "ToMode"]


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

    @vectorised(_channels_first_whole)
    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        return _channels_first(image)

    @vectorised(lambda self, coords: coords)
    def _apply_coords(self, coords: Any) -> Any:
        return coords

    @vectorised(_channels_first_whole)
    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return _channels_first(mask)


class CenterCrop(VisionTransform):
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

    def __init__(self, output_size: int | Sequence[int], *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.output_size = (output_size, output_size) if isinstance(output_size, int) else output_size

    def apply(self, input: Any) -> Any:
        """Applies the transform to one sample."""
        height, width, _ = self._get_image(input).shape
        crop_height, crop_width = self.output_size
        if crop_height > height or crop_width > width:
            raise AssertionError(f"cannot cut {crop_height}x{crop_width} out of an image of {height}x{width}")
        self._left, self._top = round((width - crop_width) / 2), round((height - crop_height) / 2)
        return super().apply(input)

    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        height, width = self.output_size
        return image[self._top : self._top + height, self._left : self._left + width]

    def _apply_coords(self, coords: np.ndarray) -> np.ndarray:
        return coords - np.array([self._left, self._top], coords.dtype)

    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return self._apply_image(mask)


class _RandomFlip(VisionTransform):
    """Flips whole samples with a given probability; a subclass says along which axis."""

    axis: int

    def __init__(self, prob: float = 0.5, *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.prob = prob

    def apply(self, input: Any) -> Any:
        """Applies the transform to one sample."""
        self._flipped = np.random.random() < self.prob
        self._size = self._get_image(input).shape[self.axis]
        return super().apply(input)

    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        if not self._flipped:
            return image
        if image.ndim != 3:
            raise ValueError(f"an image must have 3 dimensions (H, W, C), not {image.ndim}")
        return np.ascontiguousarray(np.flip(image, self.axis))

    def _apply_coords(self, coords: np.ndarray) -> np.ndarray:
        if not self._flipped:
            return coords
        flipped = coords.copy()  # the data set's own points stay
        flipped[:, 1 - self.axis] = self._size - coords[:, 1 - self.axis]
        return flipped

    def _apply_mask(self, mask: np.ndarray) -> np.ndarray:
        return self._apply_image(mask)


class RandomHorizontalFlip(_RandomFlip):
    """Swaps left and right with a given probability.

    Args:
        prob: the probability, 0 to 1.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; one of them is "image".

    Raises:
        ValueError: if an image or a mask to flip is not of shape (H, W, C).

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
        ValueError: if an image or a mask to flip is not of shape (H, W, C).

    Example:
        >>> from megengine.data.transform import RandomVerticalFlip
        >>> RandomVerticalFlip(prob=1).apply(np.array([[[1]], [[2]], [[3]]]))[:, 0, 0]
        array([3, 2, 1])
    """

    axis = 0
