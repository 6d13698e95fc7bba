"""The MNIST data set of handwritten digits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...vectorise import vectorised
from ..meta_dataset import gather_arrays
from .fetch import DataFile, DataNotFoundError, Folder, Source, WebFolder, dataset_cache, obtain
from .idx import parse_idx, read_idx
from .meta_vision import VisionDataset

__all__ = ["MNIST", "parse_idx1", "parse_idx3"]


def _check_images(content: bytearray) -> None:
    _, pixels = parse_idx(content)
    if pixels.ndim not in (3, 4):
        raise ValueError(f"images have the shape (N, H, W) or (N, H, W, C), not {pixels.shape}")


def _check_labels(content: bytearray) -> None:
    _, classes = parse_idx(content)
    if classes.ndim != 1 or classes.dtype.kind == "f":
        raise ValueError(f"labels have the shape (N,) and are integers, not {classes.dtype} of shape {classes.shape}")


def parse_idx3(idx3_file: str | os.PathLike[str]) -> tuple[dict[str, int], np.ndarray]:
    """What the header of a file of images says, and the images, of shape (N, H, W, 1).

    Args:
        idx3_file: an IDX file, compressed with gzip or not.

    Raises:
        ValueError: if it is damaged, or has no images.
    """
    magic, pixels = read_idx(idx3_file)
    if pixels.ndim != 3:
        raise ValueError(f"{os.fspath(idx3_file)} has the shape {pixels.shape}, but images have (N, H, W)")
    count, height, width = pixels.shape
    return {"magic": magic, "imgs": count, "height": height, "width": width}, pixels[..., np.newaxis]


def parse_idx1(idx1_file: str | os.PathLike[str]) -> tuple[dict[str, int], np.ndarray]:
    """What the header of a file of labels says, and the labels, of shape (N,).

    Args:
        idx1_file: an IDX file, compressed with gzip or not.

    Raises:
        ValueError: if it is damaged, or has no labels.
    """
    magic, classes = read_idx(idx1_file)
    if classes.ndim != 1:
        raise ValueError(f"{os.fspath(idx1_file)} has the shape {classes.shape}, but labels have (N,)")
    return {"magic": magic, "imgs": len(classes)}, classes.astype(int)


class MNIST(VisionDataset):
    """Handwritten digits, 60,000 for training and 10,000 for tests, of 28 x 28 grey pixels.

    A sample is an image, a uint8 array of shape (28, 28, 1), and its label, an int32 from 0 to 9.

    The files are looked for in ``root``, in the folder that the environment variable ``MGE_MNIST`` names, in
    ``~/data/datasets/MNIST``, and in the cache folder ``$XDG_CACHE_HOME/megengine/MNIST``; what is nowhere is downloaded
    into ``root``, or into the cache folder. What is downloaded is checked by its SHA-256. Files of the same format that lie in a
    folder are taken as they are, compressed or not: other data sets than MNIST, of any number and size of images.

    Args:
        root: folder of the files; None leaves it out.
        train: the training set, or else the test set.
        download: fetch what is missing; otherwise only folders are searched, and if ``root`` is given only that.
        timeout: seconds that a download may take.

    Raises:
        ValueError: if a file is missing or damaged and ``download`` is False, or there are not as many labels as images.
        DataNotFoundError: if a file is missing and cannot be fetched; a FileNotFoundError that lists what was tried.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998.

    Example:
        >>> from megengine.data.dataset import MNIST
        >>> MNIST("/nowhere", download=False)
        Traceback (most recent call last):
        ValueError: train-images-idx3-ubyte.gz of MNIST was not found. Tried, in this order:
          1. root (/nowhere): no such folder
        What you can do:
          - put the four files into one folder and give it as root, or in the environment variable MGE_MNIST
          - let them be fetched: download=True
    """

    url_path = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    raw_file_name = [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ]
    raw_file_md5 = [
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ]
    # Size and SHA-256 of the uncompressed files, in the order of raw_file_name.
    _contents = [
        (47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        (60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        (7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        (10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ]
    _mirrors = ["https://storage.googleapis.com/cvdf-datasets/mnist/"]
    _variable = "MGE_MNIST"
    _usual_folders = ["~/data/datasets/MNIST"]

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        download: bool = True,
        timeout: int = 500,
    ) -> None:
        super().__init__(root, order=("image", "image_category"))
        self._root_given = root is not None
        self._download_missing = download
        self._timeout = timeout
        if root is None:
            self.root = str(dataset_cache(type(self).__name__))
        self.process(train)

    @vectorised(gather_arrays)
    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(array[index] for array in self.arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    @property
    def meta(self) -> dict[str, dict[str, int]]:
        """What the headers of the files say: magic number, number of images, height and width."""
        return self._meta_data

    def download(self) -> None:
        """Makes sure that all four files are there, fetching those that are missing."""
        self._obtain(self._files(), download=True)

    def process(self, train: bool) -> None:
        """Reads the files of the training set or of the test set into ``arrays`` and ``meta``."""
        files = self._files()[:2] if train else self._files()[2:]
        images, labels = self._obtain(files, self._download_missing)
        image_magic, pixels = parse_idx(images)
        label_magic, classes = parse_idx(labels)
        count, height, width = pixels.shape[:3]
        if count != len(classes):
            raise ValueError(
                f"{type(self).__name__}: {files[0].name} has {count} images, but {files[1].name} has {len(classes)} labels"
            )
        self._meta_data = {
            "images": {"magic": image_magic, "imgs": count, "height": height, "width": width},
            "labels": {"magic": label_magic, "imgs": len(classes)},
        }
        self.arrays = (pixels if pixels.ndim == 4 else pixels[..., np.newaxis], classes.astype(np.int32))

    def _files(self) -> list[DataFile]:
        md5s: list[str | None] = [*self.raw_file_md5] or [None] * len(self.raw_file_name)
        # A subclass with files of its own says their MD5, as MegEngine's do; the contents below are those of this class.
        known = self._contents if self._owns_contents() else [(None, "")] * len(self.raw_file_name)
        checks = (_check_images, _check_labels) * (len(self.raw_file_name) // 2)
        return [
            DataFile(name, *content, md5=md5, check=check)
            for name, content, md5, check in zip(self.raw_file_name, known, md5s, checks, strict=True)
        ]

    @classmethod
    def _owns_contents(cls) -> bool:
        """Whether the checksums of the contents are of the files that this class names."""
        named = ("raw_file_name", "raw_file_md5", "url_path")
        owner = next(c for c in cls.__mro__ if "_contents" in vars(c))
        return all(getattr(cls, name) == getattr(owner, name) for name in named)

    def _folders(self) -> list[Source]:
        root = [Folder(self.root, "root")] if self._root_given else []
        if root and not self._download_missing:
            return list(root)
        return [
            *root,
            Folder(os.environ.get(self._variable) or None, f"environment variable {self._variable}"),
            *map(Folder, self._usual_folders),
            Folder(dataset_cache(type(self).__name__)),
        ]

    def _fetchers(self, store: Path) -> list[Source]:
        return [WebFolder(url, store, self._timeout) for url in (self.url_path, *self._mirrors)]

    def _advice(self, download: bool) -> list[str]:
        place = (
            "put the four files into one folder and give it as root, or in the environment variable " + self._variable
        )
        return [place] if download else [place, "let them be fetched: download=True"]

    def _obtain(self, files: list[DataFile], download: bool) -> list[bytearray]:
        sources = self._folders()
        if download:
            sources += self._fetchers(Path(self.root))
        try:
            return obtain(type(self).__name__, files, sources, self._advice(download))
        except DataNotFoundError as error:
            if download:
                raise
            raise ValueError(str(error)) from None
