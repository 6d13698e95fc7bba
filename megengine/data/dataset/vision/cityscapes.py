"""The Cityscapes data set: street scenes, by pixels."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...opencv import read_image
from .meta_vision import VisionDataset
from .utils import is_img, listed

__all__ = ["Cityscapes"]

# The labels of the files that count, in the order of the classes.
_LABELS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def _within(folder: str, what: str, wanted: Callable[[str], bool]) -> list[str]:
    """The names in a folder that are wanted, in order; others, such as those that a file manager leaves, do not count."""
    try:
        return sorted(name for name in os.listdir(folder) if wanted(os.path.join(folder, name)))
    except FileNotFoundError:
        raise FileNotFoundError(f"Cityscapes: there is no folder {folder}, of {what}") from None


class Cityscapes(VisionDataset):
    """Street scenes with the classes of their pixels.

    The fields of a sample, as ``order`` names them:

    * "image": a uint8 array of shape (H, W, 3) with the channels blue, green, red,
    * "mask": a uint8 array of shape (H, W, 1): places in ``class_names`` counted from 0, 255 anything else,
    * "info": a list of height, width and path.

    Samples come in the order of their paths.

    Args:
        root: folder that holds ``leftImg8bit`` and the folder of the masks.
        image_set: the part: "train", "val" or "test", or for coarse masks "train_extra".
        mode: the masks' folder, "gtFine" or "gtCoarse".
        order: the fields; default ``("image",)``.

    Raises:
        RuntimeError: if there is no folder ``root``.
        FileNotFoundError: if a folder or, when a sample is read, a file is missing.
        ValueError: if a picture is damaged.

    Source: M. Cordts et al., "The Cityscapes dataset for semantic urban scene understanding", 2016.

    Example:
        >>> from megengine.data.dataset import Cityscapes
        >>> Cityscapes.class_names[:3]
        ('road', 'sidewalk', 'building')
        >>> Cityscapes("/nowhere", "train", "gtFine")
        Traceback (most recent call last):
        RuntimeError: Cityscapes: there is no folder /nowhere
    """

    supported_order = ("image", "mask", "info")
    class_names = listed("""
        road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, terrain, sky,
        person, rider, car, truck, bus, train, motorcycle, bicycle
    """)

    def __init__(self, root: Any, image_set: str, mode: str, *, order: Sequence[str] | None = None) -> None:
        super().__init__(root, order=order, supported_order=self.supported_order)
        if not os.path.isdir(self.root):
            raise RuntimeError(f"Cityscapes: there is no folder {self.root}")
        self.mode = mode
        self.images_dir = os.path.join(self.root, "leftImg8bit", image_set)
        self.masks_dir = os.path.join(self.root, mode, image_set)
        self.images: list[str] = []
        self.masks: list[str] = []
        for city in _within(self.images_dir, "the pictures", os.path.isdir):
            for name in _within(os.path.join(self.images_dir, city), f"the pictures of {city}", is_img):
                scene = name.split("_leftImg8bit")[0]
                self.images.append(os.path.join(self.images_dir, city, name))
                self.masks.append(os.path.join(self.masks_dir, city, f"{scene}_{mode}_labelIds.png"))

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        fields: dict[str, Any] = {}
        if "image" in self.order or "info" in self.order:
            fields["image"] = read_image(self.images[index])
            fields["info"] = [*fields["image"].shape[:2], self.images[index]]
        if "mask" in self.order:
            fields["mask"] = self._trans_mask(read_image(self.masks[index], gray=True))[:, :, np.newaxis]
        return tuple(fields[kind] for kind in self.order)

    def __len__(self) -> int:
        return len(self.images)

    def _trans_mask(self, mask: np.ndarray) -> np.ndarray:
        table = np.full(256, 255, np.uint8)
        table[list(_LABELS)] = np.arange(len(_LABELS))
        return table[mask]
