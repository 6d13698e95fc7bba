"""Transforms one after another."""

# The draws follow np.random.seed, as those of MegEngine do.
# ruff: noqa: NPY002

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...vectorise import batch_function, vectorised
from ..meta_transform import Transform, apply_whole
from .meta_vision import VisionTransform

__all__ = ["Compose"]


def _apply_all_whole(compose: Compose, sample: Any) -> Any:
    if compose.shuffle_indices is not None or type(compose)._shuffle is not Compose._shuffle:
        return NotImplemented
    for transform in compose.transforms:
        whole = batch_function(transform.apply_batch if compose.batch_compose else transform.apply)
        if whole is None or sample is NotImplemented:
            return NotImplemented
        sample = whole(sample)
    return sample


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
        for transform in self._shuffle():
            input = transform.apply(input)
        return input

    def _shuffle(self) -> list[Any]:
        if self.shuffle_indices is None:
            return self.transforms
        places = list(range(len(self.transforms)))
        for group in self.shuffle_indices:
            for place, taken in zip(group, np.random.permutation(group).tolist(), strict=True):
                places[place] = taken
        return [self.transforms[place] for place in places]
