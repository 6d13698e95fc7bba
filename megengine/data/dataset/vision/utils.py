"""What the image datasets share: which files are pictures, checksums, archives."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path

from ...._support.downloads import file_digest, reason, receive
from ...._support.files import written_beside
from ....logger import get_logger
from .fetch import dataset_cache

__all__ = ["IMG_EXT", "calculate_md5", "is_img", "load_raw_data_from_url", "untar", "untargz"]

logger = get_logger(__name__)

IMG_EXT = (".jpg", ".png", ".jpeg", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def _default_dataset_root() -> str:
    """The folder that holds one folder for each fetched data set."""
    return str(dataset_cache("").absolute())


def is_img(filename: str) -> bool:
    """Whether a file's name ends as that of a picture.

    Example:
        >>> from megengine.data.dataset.vision.utils import is_img
        >>> is_img("cat.JPEG"), is_img("cat.txt")
        (True, False)
    """
    return filename.lower().endswith(IMG_EXT)


def calculate_md5(filename: str | os.PathLike[str]) -> str:
    """The MD5 of a file, in hexadecimal.

    Example:
        >>> from megengine.data.dataset.vision.utils import calculate_md5
        >>> calculate_md5(os.devnull)
        'd41d8cd98f00b204e9800998ecf8427e'
    """
    return file_digest(Path(filename), "md5")


def load_raw_data_from_url(
    url: str, filename: str, target_md5: str, raw_data_dir: str | os.PathLike[str], timeout: float = 500
) -> None:
    """Makes sure that a folder has a file, downloading it if it is not there or not the right one.

    A file that is not the right one is kept as ``NAME.bad``. A connection that is lost is taken up again where it ended.

    Args:
        url: the address of the file.
        filename: its name in the folder.
        target_md5: MD5 of the file, in hexadecimal.
        raw_data_dir: the folder, which is made if it is not there.
        timeout: seconds that the download may take.

    Raises:
        RuntimeError: if what was downloaded is another file, or could not be downloaded.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from megengine.data.dataset.vision.utils import load_raw_data_from_url
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "there.txt").write_text("hello")
        ...     address = Path(folder, "there.txt").as_uri()
        ...     load_raw_data_from_url(address, "here.txt", "5d41402abc4b2a76b9719d911017c592", folder)
        ...     print(Path(folder, "here.txt").read_text())
        hello
    """
    path = Path(raw_data_dir) / filename
    if path.exists():
        found = calculate_md5(path)
        if found == target_md5:
            return
        logger.warning("%s has MD5 %s, not %s; it is kept as %s.bad", path, found, target_md5, path.name)
        os.replace(path, path.with_name(path.name + ".bad"))
    try:
        with written_beside(path) as part:
            receive(url, part, filename, timeout)
            found = calculate_md5(part)
            if found != target_md5:
                raise RuntimeError(f"{url} is not the expected file: it has MD5 {found}, not {target_md5}")
    except OSError as error:
        raise RuntimeError(f"cannot download {url} to {path}: {reason(error)}") from error


def untar(path: str | os.PathLike[str], to: str | os.PathLike[str] | None = None, remove: bool = False) -> None:
    """Unpacks a tar archive, compressed or not.

    What it holds is unpacked beside its place and then moved, so that an interruption leaves nothing that looks whole.

    Args:
        path: the archive.
        to: folder to unpack into; by default that of the archive.
        remove: remove the archive afterwards.

    Raises:
        RuntimeError: if the archive is damaged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from megengine.data.dataset.vision.utils import untar
        >>> with TemporaryDirectory() as folder:
        ...     tarfile.open(f"{folder}/a.tar", "w").close()
        ...     untar(f"{folder}/a.tar", remove=True)
        ...     os.listdir(folder)
        []
    """
    target = Path(path).parent if to is None else Path(to)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".untar-", dir=target) as beside:
        try:
            with tarfile.open(path) as archive:
                if hasattr(tarfile, "data_filter"):
                    archive.extractall(beside, filter="data")  # nothing outside of the folder, no devices
                else:
                    archive.extractall(beside)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise RuntimeError(f"{path} cannot be unpacked: {error}") from error
        for entry in sorted(Path(beside).iterdir()):
            if not (target / entry.name).is_dir() or not entry.is_dir():
                os.replace(entry, target / entry.name)
                continue
            for file in sorted(each for each in entry.rglob("*") if not each.is_dir()):
                place = target / file.relative_to(beside)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, place)
    if remove:
        os.remove(path)


def untargz(path: str | os.PathLike[str], to: str | os.PathLike[str] | None = None, remove: bool = False) -> None:
    """Unpacks a ``.tar.gz`` archive, as :func:`untar` does.

    Raises:
        ValueError: if its name does not end with ``.tar.gz``.

    Example:
        >>> from megengine.data.dataset.vision.utils import untargz
        >>> untargz("data.zip")
        Traceback (most recent call last):
        ValueError: data.zip does not end with .tar.gz
    """
    if not os.fspath(path).endswith(".tar.gz"):
        raise ValueError(f"{path} does not end with .tar.gz")
    untar(path, to, remove)


def listed(text: str) -> tuple[str, ...]:
    """The names of a list with commas, over several lines.

    Example:
        >>> from megengine.data.dataset.vision.utils import listed
        >>> listed("hot dog, pizza")
        ('hot dog', 'pizza')
    """
    return tuple(" ".join(name.split()) for name in text.split(","))
