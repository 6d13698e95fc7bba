"""The Fashion-MNIST data set of articles of clothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .debian import DebianPackage
from .fetch import Source
from .mnist import MNIST

__all__ = ["FashionMNIST", "load_arrays"]


class FashionMNIST(MNIST):
    """Articles of clothing in ten classes, 60,000 for training and 10,000 for tests, of 28 x 28 grey pixels.

    A sample is an image, a uint8 array of shape (28, 28, 1), and its label, an int32: 0 T-shirt/top, 1 trouser,
    2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag, 9 ankle boot.

    The files are looked for in ``root``, in the folder that the environment variable ``MGE_FASHION_MNIST`` names, in
    ``~/data/datasets/Fashion-MNIST``, in ``/usr/share/datasets/fashion-mnist``, where Debian's package
    dataset-fashion-mnist has them, and in the cache folder ``$XDG_CACHE_HOME/megengine/FashionMNIST``. What is nowhere is
    fetched into ``root``, or into the cache folder: that package by ``apt-get``, which needs no root and installs nothing,
    or else the data set's upstream. What is fetched is checked by its SHA-256; files that lie in a folder are taken as they are.

    Args:
        root: folder of the files; None leaves it out.
        train: the training set, or else the test set.
        download: fetch what is missing; otherwise only folders are searched, and if ``root`` is given only that.
        timeout: seconds that a download may take.

    Raises:
        ValueError: if a file is missing and ``download`` is False.
        DataNotFoundError: if a file is missing and cannot be fetched; a FileNotFoundError that lists what was tried.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", 2017.

    Example:
        >>> from megengine.data.dataset import FashionMNIST
        >>> FashionMNIST("/nowhere", download=False)
        Traceback (most recent call last):
        ValueError: train-images-idx3-ubyte.gz of FashionMNIST was not found. Tried, in this order:
          1. root (/nowhere): no such folder
        What you can do:
          - put the four files into one folder and give it as root, or in the environment variable MGE_FASHION_MNIST
          - install the package that has them: apt-get install dataset-fashion-mnist
          - let them be fetched: download=True
    """

    url_path = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
    raw_file_md5 = [
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ]
    _contents = [
        (47040016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        (60008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        (7840016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        (10008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ]
    _mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    _variable = "MGE_FASHION_MNIST"
    _package = "dataset-fashion-mnist"
    _package_folder = "/usr/share/datasets/fashion-mnist"
    _usual_folders = ["~/data/datasets/Fashion-MNIST", _package_folder]

    def _fetchers(self, store: Path) -> list[Source]:
        package = DebianPackage(self._package, self._package_folder, self._files(), store, self._timeout)
        return [package, *super()._fetchers(store)]

    def _advice(self, download: bool) -> list[str]:
        place, *others = super()._advice(download)
        return [place, f"install the package that has them: apt-get install {self._package}", *others]


def load_arrays(
    root: str | os.PathLike[str] | None = None, train: bool = True, download: bool = True, timeout: int = 500
) -> tuple[np.ndarray, np.ndarray]:
    """Loads Fashion-MNIST as two arrays, each image flattened into a row.

    Args:
        root: folder of the files; the other arguments too are those of :class:`FashionMNIST`.
        train: the training set, or else the test set.
        download: fetch what is missing.
        timeout: seconds that a download may take.

    Returns:
        Images, a uint8 array of shape (N, 784), and labels, a uint8 array of shape (N,).

    Raises:
        ValueError: if a file is missing and ``download`` is False.
        DataNotFoundError: if a file is missing and cannot be fetched; a FileNotFoundError that lists what was tried.
    """
    images, labels = FashionMNIST(root, train, download, timeout).arrays
    return images.reshape(len(images), -1), labels.astype(np.uint8)
