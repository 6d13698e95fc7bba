"""The CIFAR-10 and CIFAR-100 data sets of small photographs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....logger import get_logger
from ...vectorise import vectorised
from ..meta_dataset import gather_arrays
from .fetch import dataset_cache
from .meta_vision import VisionDataset
from .plain_pickle import load_plain_pickle
from .utils import load_raw_data_from_url, untar

__all__ = ["CIFAR10", "CIFAR100"]

logger = get_logger(__name__)


class CIFAR10(VisionDataset):
    """Photographs in ten classes, 50,000 for training and 10,000 for tests, of 32 x 32 pixels.

    A sample is an image, a uint8 array of shape (32, 32, 3) with the channels blue, green, red, and its class, an int32:
    0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship, 9 truck. The names are also in ``meta``.

    Args:
        root: folder that holds ``cifar-10-batches-py``, or into which it is fetched; by default the cache folder
            ``$XDG_CACHE_HOME/megengine/CIFAR10``.
        train: the training set, or else the test set.
        download: fetch what is missing (170 MB).
        timeout: seconds that the download may take.

    Raises:
        ValueError: if the files are missing and ``download`` is False, or a file is damaged.
        FileNotFoundError: if the folder is there but lacks a file.
        RuntimeError: if the archive cannot be downloaded or unpacked.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Example:
        >>> from megengine.data.dataset import CIFAR10
        >>> CIFAR10("/nowhere", download=False)
        Traceback (most recent call last):
        ValueError: there is no folder /nowhere; put cifar-10-batches-py there, or let it be fetched: download=True
    """

    url_path = "https://www.cs.toronto.edu/~kriz/"
    raw_file_name = "cifar-10-python.tar.gz"
    raw_file_md5 = "c58f30108f718f92721af3b95e74349a"
    raw_file_dir = "cifar-10-batches-py"
    train_batch = [f"data_batch_{number}" for number in range(1, 6)]
    test_batch = ["test_batch"]
    meta_info = {"name": "batches.meta"}
    _label_kinds: tuple[bytes, ...] = (b"labels",)

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        download: bool = True,
        timeout: int = 500,
    ) -> None:
        super().__init__(root, order=("image", "image_category"))
        self.timeout = timeout
        if root is None:
            self.root = str(dataset_cache(type(self).__name__))
        self.target_file = os.path.join(self.root, self.raw_file_dir)
        if not os.path.isdir(self.target_file):
            if not download:
                missing = self.root if not os.path.isdir(self.root) else self.target_file
                raise ValueError(
                    f"there is no folder {missing}; put {self.raw_file_dir} there, or let it be fetched: download=True"
                    if missing is self.root
                    else f"there is no folder {missing}; let it be fetched: download=True"
                )
            self.download()
        self.arrays = self.bytes2array(self.train_batch if train else self.test_batch)

    @vectorised(gather_arrays)
    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(array[index] for array in self.arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    @property
    def meta(self) -> dict[bytes, Any]:
        """What the data set says about itself: the names of the classes, under bytes as keys."""
        return load_plain_pickle(os.path.join(self.target_file, self.meta_info["name"]))

    def download(self) -> None:
        """Downloads the archive, if none that can be unpacked is there, and unpacks it. Only what is downloaded is compared with
        its MD5."""
        archive = Path(self.root, self.raw_file_name)
        if archive.exists():
            try:
                self.process()
                return
            except RuntimeError as error:
                logger.warning("%s; it is kept as %s.bad, and fetched again", error, archive.name)
                os.replace(archive, f"{archive}.bad")
        url = self.url_path + self.raw_file_name
        load_raw_data_from_url(url, self.raw_file_name, self.raw_file_md5, self.root, self.timeout)
        self.process()

    def process(self) -> None:
        """Unpacks the archive."""
        archive = os.path.join(self.root, self.raw_file_name)
        self.untar(archive, self.root)
        if not os.path.isdir(self.target_file):
            raise RuntimeError(f"{archive} holds no folder {self.raw_file_dir}")

    def untar(self, file_path: str, dirs: str) -> None:
        """Unpacks a ``.tar.gz`` archive into a folder."""
        if not file_path.endswith(".tar.gz"):
            raise AssertionError(f"{file_path} does not end with .tar.gz")
        untar(file_path, dirs)

    def bytes2array(self, filenames: Sequence[str]) -> tuple[np.ndarray, ...]:
        """Reads files of the data set.

        Args:
            filenames: their names, as in ``train_batch``.

        Returns:
            Images of shape (N, 32, 32, 3), and int32 labels of shape (N,), one array for each kind of label.
        """
        images, labels = [], []
        for name in filenames:
            path = os.path.join(self.target_file, name)
            batch = load_plain_pickle(path)
            if not isinstance(batch, dict):
                raise ValueError(f"{path} is no batch of {type(self).__name__}: it holds a {type(batch).__name__}")
            batch = {key.encode() if isinstance(key, str) else key: value for key, value in batch.items()}
            absent = [key for key in (b"data", *self._label_kinds) if key not in batch]
            if absent:
                raise ValueError(f"{path} is no batch of {type(self).__name__}: it has no {absent[0].decode()!r}")
            try:
                planes = np.asarray(batch[b"data"]).reshape(-1, 3, 32, 32)
                labels.append([np.array(batch[kind], np.int32) for kind in self._label_kinds])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path} is damaged: it is no batch of {type(self).__name__} ({error!r})") from error
            if any(len(kind) != len(planes) for kind in labels[-1]):
                numbers = " and ".join(str(len(kind)) for kind in labels[-1])
                raise ValueError(f"{path} has {len(planes)} images, but {numbers} labels")
            images.append(np.ascontiguousarray(np.moveaxis(planes[:, ::-1], 1, 3)))
        return np.concatenate(images), *(np.concatenate(kind) for kind in zip(*labels, strict=True))


class CIFAR100(CIFAR10):
    """Photographs in a hundred classes, 50,000 for training and 10,000 for tests, of 32 x 32 pixels.

    A sample is an image, a uint8 array of shape (32, 32, 3) with the channels blue, green, red, its class, an int32 from 0 to
    99, and the group of its class, an int32 from 0 to 19. The names of both are in ``meta``.

    Args:
        root: folder that holds ``cifar-100-python``, or into which it is fetched; by default the cache folder
            ``$XDG_CACHE_HOME/megengine/CIFAR100``.
        train: the training set, or else the test set.
        download: fetch what is missing (169 MB).
        timeout: seconds that the download may take.

    Raises:
        ValueError: if the files are missing and ``download`` is False, or a file is damaged.
        FileNotFoundError: if the folder is there but lacks a file.
        RuntimeError: if the archive cannot be downloaded or unpacked.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Example:
        >>> from megengine.data.dataset import CIFAR100
        >>> CIFAR100("/nowhere", download=False)
        Traceback (most recent call last):
        ValueError: there is no folder /nowhere; put cifar-100-python there, or let it be fetched: download=True
    """

    raw_file_name = "cifar-100-python.tar.gz"
    raw_file_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    raw_file_dir = "cifar-100-python"
    train_batch = ["train"]
    test_batch = ["test"]
    meta_info = {"name": "meta"}
    _label_kinds = (b"fine_labels", b"coarse_labels")
