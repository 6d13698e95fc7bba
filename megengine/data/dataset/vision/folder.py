"""Pictures in folders, one folder a class."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ...opencv import read_image
from .meta_vision import VisionDataset
from .utils import is_img

__all__ = ["ImageFolder"]


class ImageFolder(VisionDataset):
    """Pictures in folders, one folder a class: ``root/CLASS/.../NAME.jpg``.

    A sample is an image, a uint8 array of shape (H, W, 3) with the channels blue, green, red, and its class, the place of its
    folder's name among all of them in alphabetical order, an int32. The samples come by class and path.

    Args:
        root: the folder of the classes' folders.
        check_valid_func: says of a file's path whether it is a sample; by default whether it ends as pictures do (``.jpg``,
            ``.png`` and so on).
        class_name: give the class's name instead of its number.

    Raises:
        FileNotFoundError: if there is no folder ``root``, or, when a sample is read, its file is gone.
        ValueError: when a sample is read, if it is damaged or no picture.

    Example:
        >>> from megengine.data.dataset import ImageFolder
        >>> ImageFolder("/nowhere")
        Traceback (most recent call last):
        FileNotFoundError: ImageFolder: there is no folder /nowhere
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        check_valid_func: Callable[[str], bool] | None = None,
        class_name: bool = False,
    ) -> None:
        super().__init__(root, order=("image", "image_category"))
        self.check_valid = is_img if check_valid_func is None else check_valid_func
        self.class_name = class_name
        self.class_dict = self.collect_class()
        self.samples = self.collect_samples()

    def collect_samples(self) -> list[tuple[str, Any]]:
        """The path and the class of each sample."""
        samples: list[tuple[str, Any]] = []
        for name, number in sorted(self.class_dict.items()):
            label = name if self.class_name else number
            for folder, _, files in sorted(os.walk(os.path.join(self.root, name), followlinks=True)):
                paths = (os.path.join(folder, file) for file in sorted(files))
                samples += [(path, label) for path in paths if self.check_valid(path)]
        return samples

    def collect_class(self) -> dict[str, np.int32]:
        """The number of each class by its name."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.root) if entry.is_dir())
        except FileNotFoundError:
            raise FileNotFoundError(f"{type(self).__name__}: there is no folder {self.root}") from None
        return {name: np.int32(number) for number, name in enumerate(names)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, label = self.samples[index]
        return read_image(path), label

    def __len__(self) -> int:
        return len(self.samples)
