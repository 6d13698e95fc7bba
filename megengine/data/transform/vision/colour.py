"""Transforms of pixel values; points and masks stay as they are."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...._help.ranges import within
from ...vectorise import vectorised
from .meta_vision import VisionTransform

__all__ = ["BrightnessTransform", "ColourTransform", "GaussianNoise", "Lighting", "Normalize"]


class ColourTransform(VisionTransform):
    """Base of the transforms that leave everything in its place."""

    def _shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    @vectorised(lambda self, coords: coords)
    def _apply_coords(self, coords: Any) -> Any:
        return coords

    @vectorised(lambda self, mask: mask)
    def _apply_mask(self, mask: Any) -> Any:
        return mask


def clipped(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Values limited to 0 .. 255, which are overwritten, in the dtype of the image that they come from.

    Example:
        >>> from megengine.data.transform.vision.colour import clipped
        >>> clipped(np.array([-1.0, 7.9, 300.0]), np.dtype("uint8"))
        array([  0,   7, 255], dtype=uint8)
    """
    return np.clip(values, 0, 255, out=values).astype(dtype, copy=False)


def _narrowed(constant: np.ndarray) -> np.ndarray:
    """A scalar in the narrowest type that holds its magnitude, so that it does not widen a float16 image; as in NumPy 1."""
    return constant if constant.ndim else constant.astype(np.min_scalar_type(constant))


def _normalize_whole(normalize: Normalize, images: np.ndarray) -> Any:
    dims = images.ndim - 1
    if normalize.mean.ndim > dims or normalize.std.ndim > dims:
        return NotImplemented
    if images.dtype == np.float16 and dims == 0:
        return NotImplemented
    return normalize._apply_image(images)


class Normalize(ColourTransform):
    r"""Subtracts a mean and divides by a standard deviation, :math:`y = (x - \text{mean}) / \text{std}`.

    The result is float32 for integers up to 16 bits and for float32, and float64 for wider ones.

    Args:
        mean: a number, or one a channel, the image's last dimension; kept as float32.
        std: likewise; kept as float32.
        order: the kinds of a sample's fields, see :class:`VisionTransform`.

    Example:
        >>> from megengine.data.transform import Normalize
        >>> Normalize(mean=[1.0, 2.0], std=[0.5, 2.0]).apply(np.array([[[1, 2], [3, 4]]], np.uint8))
        array([[[0., 0.],
                [4., 1.]]], dtype=float32)
    """

    def __init__(self, mean: Any = 0.0, std: Any = 1.0, *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.mean = np.array(mean, dtype=np.float32)
        self.std = np.array(std, dtype=np.float32)
        if self.mean.ndim == self.std.ndim == 1 and 1 not in (sizes := {len(self.mean), len(self.std)}) and len(sizes) > 1:
            raise ValueError(f"Normalize: mean {mean!r} and std {std!r} must have as many numbers as each other")
        within("mean", float(self.mean.sum()))
        within("std", float(self.std.min()), 0, above=True)

    @vectorised(_normalize_whole)
    def _apply_image(self, image: Any) -> Any:
        if type(image) is np.ndarray and image.ndim:
            if image.dtype.char == "e":
                return (image - _narrowed(self.mean)) / _narrowed(self.std)
            if self._is_by_channel(image):
                return self._by_rows(image)
        return (image - self.mean) / self.std

    def _is_by_channel(self, image: np.ndarray) -> bool:
        channels = self.mean.shape
        return len(channels) == 1 and self.std.shape == channels == image.shape[-1:] and image.ndim > 1

    def _by_rows(self, image: np.ndarray) -> np.ndarray:
        """The same with each channel's numbers repeated along a row: NumPy is slow on a short last dimension."""
        *others, width, channels = image.shape
        centred = np.ascontiguousarray(image).reshape(*others, width * channels) - np.tile(self.mean, width)
        return np.divide(centred, np.tile(self.std, width), out=centred).reshape(image.shape)


class GaussianNoise(ColourTransform):
    r"""Adds normal noise, :math:`y = \mathrm{clip}(x + 255\,n, 0, 255)` with :math:`n \sim N(\text{mean}, \text{std}^2)`.

    Args:
        mean: mean of the noise, 1 for the range of an 8-bit image.
        std: standard deviation of the noise.
        order: the kinds of a sample's fields, see :class:`VisionTransform`.

    Example:
        >>> from megengine.data.transform import GaussianNoise
        >>> GaussianNoise(mean=1.0, std=0.0).apply(np.array([[[3, 7]]], np.uint8))
        array([[[255, 255]]], dtype=uint8)
    """

    def __init__(self, mean: Any = 0.0, std: Any = 1.0, *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.mean = np.array(mean, dtype=np.float32)
        self.std = np.array(std, dtype=np.float32)
        within("mean", float(self.mean.sum()))
        within("std", float(self.std.min()), 0)

    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        noise = np.random.normal(self.mean, self.std, image.shape)
        noise *= 255
        return np.clip(image + noise.astype(np.float32), 0, 255).astype(image.dtype)


class ScaledColourTransform(ColourTransform):
    """A transform that scales one quality of images by a factor uniform in ``[max(0, 1 - value), 1 + value]``.

    Args:
        value: how far the factor may be from 1; 0 leaves the images as they are.
        order: the kinds of a sample's fields.

    Raises:
        ValueError: if ``value`` is negative.
    """

    _quality = ""

    def __init__(self, value: float, *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.value = within(f"the {self._quality} value", value, 0)

    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        if self.value == 0:
            return image
        factor = np.random.uniform(max(0, 1 - self.value), 1 + self.value)
        return clipped(self._scaled(image.astype(np.float32), factor), image.dtype)

    def _scaled(self, values: np.ndarray, factor: float) -> np.ndarray:
        """The image of this quality times ``factor``, in place where it can be."""
        raise NotImplementedError(f"{type(self).__name__} does not define _scaled")


class BrightnessTransform(ScaledColourTransform):
    r"""Makes images brighter or darker, :math:`y = \mathrm{clip}(a x, 0, 255)`, with ``a`` uniform in
    ``[max(0, 1 - value), 1 + value]``.

    Args:
        value: how far brightness may change; 0 leaves the images as they are.
        order: the kinds of a sample's fields, see :class:`VisionTransform`.

    Raises:
        ValueError: if ``value`` is negative.

    Example:
        >>> from megengine.data.transform import BrightnessTransform
        >>> np.random.seed(1)
        >>> [BrightnessTransform(0.5).apply(np.full((1, 1, 1), 100, np.uint8)).item() for _ in range(4)]
        [91, 122, 50, 80]
    """

    _quality = "brightness"

    def _scaled(self, values: np.ndarray, factor: float) -> np.ndarray:
        values *= factor
        return values


class Lighting(ColourTransform):
    """Shifts colours along the principal components of ImageNet's colours, as AlexNet's training did.

    The shift along each component is normal, with a standard deviation of ``255 * scale`` times the component's own.

    Args:
        scale: strength; 0 leaves the images as they are.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; images have their channels as blue, green, red.

    Raises:
        ValueError: if ``scale`` is negative.

    Example:
        >>> from megengine.data.transform import Lighting
        >>> Lighting(0.1).apply(np.zeros((4, 4, 3), np.uint8)).shape
        (4, 4, 3)
    """

    def __init__(self, scale: float, *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.scale = within("the lighting scale", scale, 0)
        self.eigvec = np.array([[-0.5836, -0.6948, 0.4203], [-0.5808, -0.0045, -0.8140], [-0.5675, 0.7192, 0.4009]])
        self.eigval = np.array([0.2175, 0.0188, 0.0045])

    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        if self.scale == 0:
            return image
        amount = np.random.normal(scale=self.scale * 255, size=3)
        shift = self.eigvec.dot(amount * self.eigval)
        if image.dtype == np.uint8 and image.shape[-1:] == (3,):
            return self._shifted_by_table(image, shift)
        if image.shape[2:] == (4,):
            shift = np.append(shift, 0.0)  # the alpha channel stays
        return clipped(image.astype(np.float32) + shift, image.dtype)

    def _shifted_by_table(self, image: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """The same, looking up what becomes of each of the 256 values of a channel."""
        table = (np.arange(256, dtype=np.float32)[:, np.newaxis] + shift).clip(0, 255).astype(np.uint8)
        shifted = np.empty_like(image)
        for channel in range(3):
            shifted[..., channel] = table[:, channel].take(image[..., channel])
        return shifted
