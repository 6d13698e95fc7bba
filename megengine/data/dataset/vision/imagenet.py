"""The ImageNet data set of the ILSVRC 2012 challenge."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ....logger import get_logger
from .fetch import dataset_cache, write_beside
from .folder import ImageFolder
from .plain_pickle import load_plain_pickle
from .utils import calculate_md5, untar

__all__ = ["ImageNet"]

logger = get_logger(__name__)


class ImageNet(ImageFolder):
    """Photographs in a thousand classes, 1.28 million for training and 50,000 for validation.

    A sample is an image, a uint8 array of shape (H, W, 3) with the channels blue, green, red, and its class, an int32: the place
    of the class's folder, such as ``n01440764``, in alphabetical order.

    The folder holds the pictures, or the archives that ImageNet's site gives to registered users, or others of their kind, which
    are then unpacked, once; a warning tells one that is not ImageNet's own::

        root/train/n01440764/n01440764_10026.JPEG      or  root/ILSVRC2012_img_train.tar
        root/val/n01440764/ILSVRC2012_val_00000293.JPEG  or  root/ILSVRC2012_img_val.tar
        root/ILSVRC2012_devkit_t12/data                or  root/ILSVRC2012_devkit_t12.tar.gz

    Unpacking needs as much room as the archives take.

    Args:
        root: the folder; by default the cache folder ``$XDG_CACHE_HOME/megengine/ImageNet``.
        train: the training set, or else the validation set.
        **kwargs: further arguments of :class:`ImageFolder`.

    Raises:
        FileNotFoundError: if there is no such folder, or neither the pictures nor all of the archives are in it.
        RuntimeError: if an archive is damaged.

    Source: O. Russakovsky et al., "ImageNet large scale visual recognition challenge", 2015.

    Example:
        >>> from megengine.data.dataset import ImageNet
        >>> ImageNet("/nowhere")
        Traceback (most recent call last):
        FileNotFoundError: ImageNet: there is no folder /nowhere
    """

    raw_file_meta = {
        "train": ("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
        "val": ("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
        "devkit": ("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf"),
    }
    default_train_dir = "train"
    default_val_dir = "val"
    default_devkit_dir = "ILSVRC2012_devkit_t12"

    def __init__(self, root: str | os.PathLike[str] | None = None, train: bool = True, **kwargs: Any) -> None:
        self.root = os.path.expanduser(dataset_cache(type(self).__name__) if root is None else root)
        if not os.path.isdir(self.root):
            raise FileNotFoundError(f"ImageNet: there is no folder {self.root}")
        self.train = train
        self.devkit_dir = os.path.join(self.root, self.default_devkit_dir)
        self.target_folder = os.path.join(self.root, self.default_train_dir if train else self.default_val_dir)
        if not os.path.isdir(self.devkit_dir) and os.path.exists(self._raw_file("devkit")):
            self._prepare_devkit()
        if not os.path.isdir(self.target_folder):
            if not self.check_raw_file():
                missing = [path for path in map(self._raw_file, self.raw_file_meta) if not os.path.exists(path)]
                raise FileNotFoundError(
                    f"there is no folder {self.target_folder}, and to make it these are missing: {', '.join(missing)}"
                )
            logger.info("%s is unpacked, once; that takes a while", self.target_folder)
            (self._prepare_train if train else self._prepare_val)()
        super().__init__(self.target_folder, **kwargs)

    def _raw_file(self, part: str) -> str:
        return os.path.join(self.root, self.raw_file_meta[part][0])

    @property
    def valid_ground_truth(self) -> list[int]:
        """The number of the class of each validation picture, in the order of their names."""
        path = os.path.join(self.devkit_dir, "data", "ILSVRC2012_validation_ground_truth.txt")
        try:
            with open(path, encoding="utf-8") as file:
                return [int(line) for line in file]
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no file {path}") from None

    @property
    def meta(self) -> tuple[dict[int, str], dict[str, tuple[str, ...]]]:
        """The folder's name of each class by its number, and the class's names by that."""
        cached = Path(self.devkit_dir, "meta.pkl")
        if cached.exists():
            return load_plain_pickle(cached)
        meta = self._read_meta(os.path.join(self.devkit_dir, "data", "meta.mat"))
        with write_beside(cached) as beside:
            beside.write_bytes(pickle.dumps(meta))
        return meta

    def _read_meta(self, path: str) -> tuple[dict[int, str], dict[str, tuple[str, ...]]]:
        if not os.path.exists(path):
            raise FileNotFoundError(f"there is no file {path}")
        import scipy.io  # type: ignore[import-untyped]  # JAX needs it as well

        synsets = scipy.io.loadmat(path, squeeze_me=True)["synsets"]
        classes = [each for each in synsets if each[4] == 0]  # the others are groups of classes
        folders = {int(number): str(folder) for number, folder, *_ in classes}
        return folders, {str(folder): tuple(str(names).split(", ")) for _, folder, names, *_ in classes}

    def check_raw_file(self) -> bool:
        """Whether all archives are there."""
        return all(os.path.exists(self._raw_file(part)) for part in self.raw_file_meta)

    def _check(self, part: str) -> str:
        path, (_, md5) = self._raw_file(part), self.raw_file_meta[part]
        found = calculate_md5(path)
        if found != md5:
            if path.endswith(".tar") and not _ends_as_tar(path):
                raise RuntimeError(f"{path} is damaged: it ends too early")
            logger.warning(
                "%s is not the archive of ILSVRC 2012, since it has MD5 %s, not %s; it is taken", path, found, md5
            )
        return path

    @contextmanager
    def _beside_target(self) -> Iterator[Path]:
        """A folder that becomes the target folder when the block ends without an error."""
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=os.path.dirname(self.target_folder)) as work:
            folder = Path(work, "folder")
            folder.mkdir()
            yield folder
            os.replace(folder, self.target_folder)

    def _prepare_devkit(self) -> None:
        untar(self._check("devkit"), self.root)

    def _prepare_train(self) -> None:
        archive = self._check("train")
        with self._beside_target() as folder:
            untar(archive, folder)
            for path in _counted(sorted(folder.iterdir())):
                untar(path, path.with_suffix(""), remove=True)

    def _prepare_val(self) -> None:
        archive = self._check("val")
        folders = self.meta[0]
        with self._beside_target() as folder:
            untar(archive, folder)
            pictures = sorted(folder.iterdir())
            numbers = self.valid_ground_truth
            if len(numbers) != len(pictures):
                raise RuntimeError(
                    f"{archive} holds {len(pictures)} pictures, but there are {len(numbers)} classes of them"
                )
            for name in set(folders.values()):
                (folder / name).mkdir()
            for number, picture in zip(numbers, _counted(pictures), strict=True):
                shutil.move(picture, folder / folders[number] / picture.name)


def _ends_as_tar(path: str) -> bool:
    """Whether a tar archive has its end: blocks of zeros. What is cut off between two files looks whole otherwise."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 512))
        return size >= 1024 and not any(file.read())


def _counted(paths: list[Path]) -> Any:
    from tqdm import tqdm

    return tqdm(paths, disable=None, leave=False)
