"""The images of a run: loaded, checked, and split into normalised batches."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from megengine.data import DataLoader, RandomSampler, SequentialSampler
from megengine.data.dataset import ArrayDataset
from megengine.data.transform import Normalize

from ..errors import UserError

__all__ = ["CLASS_NAMES", "Images", "ImageData", "load_data"]

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclasses.dataclass
class Images:
    """Flattened images of shape (N, features) and their labels of shape (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def check(self, name: str, num_classes: int) -> None:
        """Raises UserError, naming the first image that cannot be trained on."""
        if self.images.ndim != 2 or self.labels.shape != self.images.shape[:1] or not len(self):
            raise UserError(
                f"the {name} set must be images (N, features) and labels (N,) with N > 0, "
                f"not {self.images.shape} and {self.labels.shape}"
            )
        if not np.issubdtype(self.images.dtype, np.integer) and not np.isfinite(self.images).all():
            index, pixel = np.argwhere(~np.isfinite(self.images))[0]
            value = self.images[index, pixel]
            raise UserError(f"{name} image {index} holds {value} at pixel {pixel}; every pixel must be finite")
        if not np.issubdtype(self.labels.dtype, np.integer):
            raise UserError(f"the {name} labels must be integers, not {self.labels.dtype}")
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= num_classes))
        if len(wrong):
            index = wrong[0]
            raise UserError(f"{name} label {self.labels[index]} of image {index} is outside 0..{num_classes - 1}")


@dataclasses.dataclass
class ImageData:
    """Both sets, with the mean and the standard deviation of all training pixels."""

    train: Images
    test: Images

    def __post_init__(self) -> None:
        self.num_classes = len(CLASS_NAMES)
        self.train.check("training", self.num_classes)
        self.test.check("test", self.num_classes)
        self.mean, self.std = self.train.images.mean(), self.train.images.std()
        if self.std == 0:
            raise UserError(f"every training pixel is {self.mean:g}, so the images cannot be told apart or normalised")

    @property
    def num_features(self) -> int:
        return self.train.images.shape[1]

    def train_batches(self, batch_size: int, seed: int) -> DataLoader:
        """The training images in an order that ``seed`` fixes."""
        dataset = ArrayDataset(self.train.images, self.train.labels)
        sampler = RandomSampler(dataset, batch_size=batch_size, seed=seed)
        return DataLoader(dataset, sampler, Normalize(self.mean, self.std))

    def test_batches(self, batch_size: int) -> DataLoader:
        """The test images in their own order."""
        dataset = ArrayDataset(self.test.images, self.test.labels)
        sampler = SequentialSampler(dataset, batch_size=batch_size)
        return DataLoader(dataset, sampler, Normalize(self.mean, self.std))


def load_data(root: str | None) -> ImageData:
    """Finds and checks Fashion-MNIST.

    Args:
        root: folder of the four files; None searches the usual places and fetches what is missing.

    Raises:
        UserError: if the files are missing, damaged or hold unusable images.
    """
    from megengine.data.dataset.vision.fashion_mnist import load_arrays

    if root is not None and not Path(root).is_dir():
        raise UserError(f"--data {root}: there is no such folder", exit_code=2)
    try:
        return ImageData(Images(*load_arrays(root, train=True)), Images(*load_arrays(root, train=False)))
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"no usable Fashion-MNIST data: {error}") from error
