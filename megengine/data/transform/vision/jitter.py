"""Random changes of contrast, saturation and hue, and all of them together."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...opencv import opencv
from . import functional as F
from .colour import BrightnessTransform, ColourTransform, ScaledColourTransform
from .compose import Compose
from .meta_vision import VisionTransform

__all__ = ["ColorJitter", "ContrastTransform", "HueTransform", "SaturationTransform"]


class ContrastTransform(ScaledColourTransform):
    r"""Makes the contrast of images stronger or weaker, :math:`y = \mathrm{clip}(a x + (1 - a)\,\bar g, 0, 255)`, with ``a``
    uniform in ``[max(0, 1 - value), 1 + value]`` and the image's mean brightness :math:`\bar g`.

    Args:
        value: how far contrast may change; 0 leaves the images as they are.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; images have their channels as blue, green, red.

    Raises:
        ValueError: if ``value`` is negative.

    Example:
        >>> from megengine.data.transform import ContrastTransform
        >>> ContrastTransform(0.5).apply(np.full((2, 2, 3), 100, np.uint8)).shape
        (2, 2, 3)
    """

    _quality = "contrast"

    def _scaled(self, values: np.ndarray, factor: float) -> np.ndarray:
        offset = float(F.to_gray(values).mean()) * (1 - factor)
        values *= factor
        values += offset
        return values


class SaturationTransform(ScaledColourTransform):
    r"""Makes the colours of images stronger or weaker, :math:`y = \mathrm{clip}(a x + (1 - a)\,g, 0, 255)`, with ``a`` uniform
    in ``[max(0, 1 - value), 1 + value]`` and the pixel's brightness :math:`g`.

    Args:
        value: how far saturation may change; 0 leaves the images as they are.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; images have their channels as blue, green, red.

    Raises:
        ValueError: if ``value`` is negative.

    Example:
        >>> from megengine.data.transform import SaturationTransform
        >>> SaturationTransform(0.5).apply(np.full((1, 1, 3), 100, np.uint8)).shape
        (1, 1, 3)
    """

    _quality = "saturation"

    def _scaled(self, values: np.ndarray, factor: float) -> np.ndarray:
        gray = F.to_gray(values)
        gray *= 1 - factor
        values *= factor
        values += F.to_bgr(gray) if values.shape[2] == 3 else gray  # the alpha channel too, as MegEngine does
        return values


class HueTransform(ColourTransform):
    """Turns the colours of images around the colour wheel, by a random part of a turn.

    Args:
        value: largest part of a turn, 0 to 0.5, in either direction; 0 leaves the images as they are.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; images have their channels as blue, green, red, and
            8 bits. A fourth channel is dropped.

    Raises:
        ValueError: if ``value`` is not in [0, 0.5].

    Example:
        >>> from megengine.data.transform import HueTransform
        >>> HueTransform(0.5).apply(np.full((1, 1, 3), 100, np.uint8))  # grey has no hue
        array([[[100, 100, 100]]], dtype=uint8)
    """

    def __init__(self, value: float, *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        if not 0 <= value <= 0.5:
            raise ValueError(f"the hue value must be in [0, 0.5], but is {value}")
        self.value = value

    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        if self.value == 0:
            return image
        F.require_channels("HueTransform", image, (1, 3, 4))
        turn = np.random.uniform(-self.value, self.value)
        if image.shape[2] == 1:
            return image  # has no hue
        cv2 = opencv("HueTransform")
        hsv = cv2.cvtColor(image.astype(np.uint8, copy=False), cv2.COLOR_BGR2HSV_FULL)
        hsv[..., 0] += np.uint8(int(turn * 255) % 256)  # wraps around, as the wheel does
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL).astype(image.dtype, copy=False)


class ColorJitter(VisionTransform):
    """Changes brightness, contrast, saturation and hue of images at random, in random order.

    Args:
        brightness: as for :class:`BrightnessTransform`; 0 leaves it out.
        contrast: as for :class:`ContrastTransform`; 0 leaves it out.
        saturation: as for :class:`SaturationTransform`; 0 leaves it out.
        hue: as for :class:`HueTransform`; 0 leaves it out.
        order: the kinds of a sample's fields, see :class:`VisionTransform`; images have their channels as blue, green, red.

    Raises:
        ValueError: if a number is negative, or ``hue`` above 0.5.

    Example:
        >>> from megengine.data.transform import ColorJitter
        >>> ColorJitter(0.4, 0.4, 0.4, 0.1).apply(np.full((2, 2, 3), 100, np.uint8)).shape
        (2, 2, 3)
    """

    def __init__(
        self,
        brightness: float = 0,
        contrast: float = 0,
        saturation: float = 0,
        hue: float = 0,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        super().__init__(order)
        kinds = (
            (BrightnessTransform, brightness),
            (ContrastTransform, contrast),
            (SaturationTransform, saturation),
            (HueTransform, hue),
        )
        transforms: list[Any] = [kind(value) for kind, value in kinds if value != 0]
        self.transforms = Compose(transforms, shuffle_indices=[tuple(range(1, len(transforms) + 1))], order=order)

    def apply(self, input: Any) -> Any:
        """Applies the transform to one sample."""
        if self.transforms.order is not self.order:  # a Compose around this one has set it
            self.transforms.order = self.order
            self.transforms._set_order()
        return self.transforms.apply(input)
