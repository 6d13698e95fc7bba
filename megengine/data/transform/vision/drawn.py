"""Transforms whose numbers are drawn, or follow from the image's size, once for all fields of a sample."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...vectorise import batch_function, vectorised
from .meta_vision import VisionTransform, apply_fields_whole, no_image

__all__ = ["DrawnTransform", "apply_drawn", "draw_ahead", "is_drawn"]

Shape = tuple[int, ...]


def _draw_and_apply_whole(transform: DrawnTransform, sample: Any) -> Any:
    shape = _image_shape(transform, sample)
    if shape is None:
        return NotImplemented
    state = np.random.get_state() if transform._random else None
    result = apply_drawn(transform, sample, [transform._draw(shape[1:]) for _ in range(shape[0])])
    if result is NotImplemented and state is not None:
        np.random.set_state(state)  # the samples will be drawn for again, one by one
    return result


def _image_shape(transform: VisionTransform, sample: Any) -> Shape | None:
    """The shape (N, H, W, C) of the images of a batch, or None if they have another form."""
    fields = sample if isinstance(sample, tuple) else (sample,)
    kinds = list(transform.order)
    place = kinds.index("image") if "image" in kinds else len(fields)
    if place >= len(fields) or type(fields[place]) is not np.ndarray or fields[place].ndim != 4:
        return None
    return fields[place].shape


class DrawnTransform(VisionTransform):
    """Base of the transforms that fix their numbers once a sample: where to crop, whether to flip, the new size.

    A subclass defines :meth:`_draw`; its ``_apply_*`` methods find the result in ``_drawn``, and their batch functions find
    there a list, one entry a sample.

    Example:
        >>> from megengine.data.transform.vision.drawn import DrawnTransform
        >>> class Corner(DrawnTransform):
        ...     def _draw(self, shape):
        ...         return shape[0] // 2
        ...     def _apply_image(self, image):
        ...         return image[: self._drawn, : self._drawn]
        >>> Corner().apply(np.zeros((6, 8, 3))).shape
        (3, 3, 3)
    """

    _random = True  # whether _draw takes random numbers
    _drawn: Any

    def _draw(self, shape: Shape) -> Any:
        """The numbers for a sample whose image has the shape (H, W, C)."""
        raise NotImplementedError(f"{type(self).__name__} does not define _draw")

    def _shape_after(self, shape: Shape) -> Shape | None:
        """The shape of an image after the transform, or None if it is not known before."""
        return None

    @vectorised(_draw_and_apply_whole)
    def apply(self, input: Any) -> Any:
        """Applies the transform to one sample."""
        image = self._get_image(input)
        if said := no_image(self, image):
            raise (ValueError if isinstance(image, np.ndarray) else TypeError)(said)
        self._drawn = self._draw(image.shape)
        return super().apply(input)


def is_drawn(transform: Any) -> bool:
    """Whether applying the transform is to draw numbers and then to transform the fields by them.

    Example:
        >>> from megengine.data.transform import CenterCrop, Normalize
        >>> is_drawn(CenterCrop(4)), is_drawn(Normalize())
        (True, False)
    """
    whole = batch_function(transform.apply)
    return whole is not None and getattr(whole, "func", None) is _draw_and_apply_whole


def apply_drawn(transform: DrawnTransform, sample: Any, draws: list[Any]) -> Any:
    """Transforms a whole batch with the numbers of its samples; NotImplemented if that is not possible.

    Example:
        >>> from megengine.data.transform import RandomHorizontalFlip
        >>> images = np.arange(4).reshape(2, 1, 2, 1)
        >>> apply_drawn(RandomHorizontalFlip(), images, [(True, 2), (False, 2)]).ravel()
        array([1, 0, 2, 3])
    """
    transform._drawn = draws
    return apply_fields_whole(transform, sample)


def draw_ahead(transforms: Iterable[Any], sample: Any) -> dict[int, list[Any]] | None:
    """Draws for all transforms that a batch will go through: for one sample after the other, as going one by one does.

    Args:
        transforms: what the batch goes through, in order.
        sample: the batch.

    Returns:
        For the position of each transform that draws, the numbers of the samples; None if an image's shape on the way is
        not known before.

    Example:
        >>> from megengine.data.transform import RandomCrop, RandomVerticalFlip
        >>> images = np.zeros((5, 8, 8, 3), np.uint8)
        >>> draws = draw_ahead([RandomCrop(6), RandomVerticalFlip()], images)
        >>> {place: len(numbers) for place, numbers in draws.items()}
        {0: 5, 1: 5}
    """
    drawing: list[tuple[int, DrawnTransform, Shape]] = []
    shape: Shape | None = None
    for place, transform in enumerate(transforms):
        if place == 0:
            batch_shape = _image_shape(transform, sample)
            if batch_shape is None:
                return None
            count, shape = batch_shape[0], batch_shape[1:]
        if is_drawn(transform):
            if shape is None:
                return None
            drawing.append((place, transform, shape))
        shape = transform._shape_after(shape) if shape and isinstance(transform, VisionTransform) else None
    draws: dict[int, list[Any]] = {place: [] for place, _, _ in drawing}
    for _ in range(count if drawing else 0):
        for place, drawn, size in drawing:
            draws[place].append(drawn._draw(size))
    return draws
