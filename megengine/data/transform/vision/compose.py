"""Transforms one after another."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...vectorise import batch_function, vectorised
from ..meta_transform import Transform, apply_whole
from .drawn import apply_drawn, draw_ahead, is_drawn
from .fused import is_normalize_to_mode, normalize_to_mode, normalize_to_mode_whole
from .meta_vision import VisionTransform

__all__ = ["Compose", "TorchTransformCompose"]


def _apply_all_whole(compose: Compose, sample: Any) -> Any:
    transforms: list[Any] | None = compose.transforms if compose.batch_compose else _flattened(compose)
    if not _keeps_order(compose) or transforms is None:
        return NotImplemented
    wholes = [batch_function(each.apply_batch if compose.batch_compose else each.apply) for each in transforms]
    if None in wholes:
        return NotImplemented
    drawing = sum(is_drawn(each) and each._random for each in transforms)
    state = np.random.get_state() if drawing else None
    # Several that draw: a sample after the other draws for all of them, unless each is applied to the whole batch in turn.
    draws = draw_ahead(transforms, sample) if drawing > 1 and not compose.batch_compose else {}
    if draws is not None:
        sample = _through(transforms, wholes, draws, sample)
    if state is not None and (draws is None or sample is NotImplemented):
        np.random.set_state(state)
    return NotImplemented if draws is None else sample


def _through(transforms: list[Any], wholes: list[Any], draws: dict[int, list[Any]], sample: Any) -> Any:
    place = 0
    while place < len(transforms) and sample is not NotImplemented:
        pair = transforms[place : place + 2]
        fused = normalize_to_mode_whole(pair, sample) if is_normalize_to_mode(pair) else NotImplemented
        if fused is not NotImplemented:
            sample = fused
            place += 2
            continue
        if place in draws:
            sample = apply_drawn(transforms[place], sample, draws[place])
        else:
            sample = wholes[place](sample)
        place += 1
    return sample


def _keeps_order(compose: Compose) -> bool:
    return compose.shuffle_indices is None and type(compose)._shuffle is Compose._shuffle


def _flattened(compose: Compose) -> list[Any] | None:
    """The transforms with those of nested Composes in their place; None if a nested one shuffles."""
    flat: list[Any] = []
    for transform in compose.transforms:
        if isinstance(transform, Compose):
            whole = batch_function(transform.apply)
            nested = _flattened(transform) if _keeps_order(transform) else None
            if nested is None or getattr(whole, "func", None) is not _apply_all_whole:
                return None
            flat += nested
        else:
            flat.append(transform)
    return flat


class Compose(VisionTransform):
    """Applies transforms one after another.

    Args:
        transforms: the transforms; each is given the order of this one.
        batch_compose: apply each transform to the whole batch before the next, by its ``apply_batch``.
        shuffle_indices: groups of positions, counted from 1, whose transforms swap places at random for each sample:
            ``[(1, 3), (2, 4)]`` shuffles the first with the third and the second with the fourth.
        order: the kinds of a sample's fields, see :class:`VisionTransform`.

    Raises:
        ValueError: if both ``batch_compose`` and ``shuffle_indices`` are given, or for a bad ``order``.

    Example:
        >>> from megengine.data.transform import Compose, Normalize, ToMode
        >>> transform = Compose([Normalize(mean=128.0, std=64.0), ToMode("CHW")])
        >>> transform.apply(np.full((4, 5, 3), 192, np.uint8)).shape
        (3, 4, 5)
    """

    def __init__(
        self,
        transforms: Sequence[Transform] = (),
        batch_compose: bool = False,
        shuffle_indices: Sequence[Sequence[int]] | None = None,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        super().__init__(order)
        if batch_compose and shuffle_indices is not None:
            raise ValueError("batch_compose applies transforms in one order to a whole batch: give no shuffle_indices")
        self.transforms = list(transforms)
        self._set_order()
        self.batch_compose = batch_compose
        self.shuffle_indices = shuffle_indices and [tuple(place - 1 for place in group) for group in shuffle_indices]

    def _set_order(self) -> None:
        for transform in self.transforms:
            transform.order = self.order  # type: ignore[attr-defined]
            if isinstance(transform, Compose):
                transform._set_order()

    @vectorised(apply_whole)
    def apply_batch(self, inputs: Sequence[Any]) -> Any:
        """Applies the transforms to each sample of a sequence."""
        if not self.batch_compose:
            return super().apply_batch(inputs)
        for transform in self.transforms:
            inputs = transform.apply_batch(inputs)
        return inputs

    @vectorised(_apply_all_whole)
    def apply(self, input: Any) -> Any:
        """Applies the transforms to one sample."""
        transforms = self._shuffle()
        place = 0
        while place < len(transforms):
            pair = transforms[place : place + 2]
            if is_normalize_to_mode(pair):
                input = normalize_to_mode(pair, input)
                place += 2
            else:
                input = transforms[place].apply(input)
                place += 1
        return input

    def _shuffle(self) -> list[Any]:
        if self.shuffle_indices is None:
            return self.transforms
        places = list(range(len(self.transforms)))
        for group in self.shuffle_indices:
            for place, taken in zip(group, np.random.permutation(group).tolist(), strict=True):
                places[place] = taken
        return [self.transforms[place] for place in places]


class TorchTransformCompose(VisionTransform):
    """Applies torchvision's transforms of PIL images to images.

    They are given an RGB picture. Their result, a PIL image or an array or tensor of shape (H, W, 3) or (3, H, W), gets its
    channels back into the order blue, green, red. Pillow has to be installed.

    Args:
        transforms: functions of a PIL image; transforms of torchvision's tensors are not among them.
        order: the kinds of a sample's fields, see :class:`VisionTransform`.

    Raises:
        ModuleNotFoundError: if Pillow is not installed.

    Example:
        >>> from megengine.data.transform import TorchTransformCompose
        >>> TorchTransformCompose([]).apply(np.full((1, 1, 3), [1, 2, 3], np.uint8))
        array([[[1, 2, 3]]], dtype=uint8)
    """

    def __init__(self, transforms: Sequence[Any], *, order: Sequence[str] | None = None) -> None:
        super().__init__(order)
        self.transforms = transforms

    def _apply_image(self, image: np.ndarray) -> Any:
        try:
            from PIL import Image
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "TorchTransformCompose needs Pillow: pip install 'megengine-xla[vision]'", name="PIL"
            ) from error
        picture: Any = Image.fromarray(_channels_reversed(image).astype(np.uint8))
        for transform in self.transforms:
            picture = transform(picture)
        if isinstance(picture, Image.Image) or type(picture).__module__ == "accimage":
            picture = np.array(picture, dtype=np.uint8)
        return _channels_reversed(picture)


def _channels_reversed(image: Any) -> Any:
    """Blue, green, red as red, green, blue and the other way round, in either layout; other images as they are."""
    if image.shape[0] == 3:
        return np.ascontiguousarray(image[[2, 1, 0]])
    if image.shape[2] == 3:
        return np.ascontiguousarray(image[:, :, ::-1])
    return image
