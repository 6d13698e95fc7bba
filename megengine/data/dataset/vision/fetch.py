"""Finding a data set's files: in folders, in a Debian package, on the web.

What is fetched is checked by its SHA-256. What lies in a folder was put there by a person, who may have other files of the same
format: it only has to be whole. :func:`obtain` tries sources in order and says, if all fail, what was tried. What has to be
fetched is written beside its place and renamed, so that an interrupted download leaves nothing that looks whole.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...._support.downloads import file_digest, progress_bar, reason, receive
from ...._support.files import written_beside
from ....logger import get_logger
from .idx import uncompressed

__all__ = [
    "DataFile",
    "DataNotFoundError",
    "Folder",
    "Source",
    "Unavailable",
    "WebFolder",
    "dataset_cache",
    "obtain",
    "progress_bar",
    "read_checked",
    "read_fetched",
    "read_placed",
    "write_beside",
]

logger = get_logger(__name__)


class DataNotFoundError(FileNotFoundError):
    """A data set is in none of the places where it may be; the message lists them all."""


class Unavailable(Exception):
    """A source cannot give a file; the message is the reason."""


@dataclass(frozen=True)
class DataFile:
    """A gzip-compressed file of a data set.

    What is fetched is checked by its content, because the same content is distributed under different gzip headers.

    Attributes:
        name: the file's name.
        size: bytes of its content, uncompressed; None if ``md5`` is to be checked.
        sha256: SHA-256 of its content, uncompressed, in hexadecimal.
        md5: MD5 of the file as it is, in hexadecimal; None if there is nothing to check.
        check: raises ValueError for a content that is not of the data set's format.
    """

    name: str
    size: int | None
    sha256: str
    md5: str | None = None
    check: Callable[[bytearray], object] = len

    @property
    def other_names(self) -> tuple[str, ...]:
        """Names that the same file has elsewhere: uncompressed, and with a point before ``idx``."""
        plain = self.name.removesuffix(".gz")
        dotted = re.sub(r"-(idx\d)", r".\1", plain)
        return tuple(name for name in dict.fromkeys([plain, dotted, dotted + ".gz"]) if name != self.name)


class Source(Protocol):
    """A place that may have a data set's files; its ``str()`` says which."""

    def read(self, file: DataFile) -> bytearray:
        """Returns the content of the file, or raises Unavailable."""
        ...


def dataset_cache(name: str) -> Path:
    """The folder in which the files of a data set are kept once fetched.

    Args:
        name: the data set's name.

    Returns:
        ``$XDG_CACHE_HOME/megengine/NAME``, by default within ``~/.cache``.

    Example:
        >>> from megengine.data.dataset.vision.fetch import dataset_cache
        >>> dataset_cache("MNIST").parts[-2:]
        ('megengine', 'MNIST')
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "megengine" / name


def read_placed(path: Path, file: DataFile) -> bytearray:
    """Reads a file that a person has put there, compressed or not, of any size, and checks that it is whole.

    Args:
        path: where it lies.
        file: what kind of file it should be.

    Raises:
        Unavailable: if it is missing, unreadable, damaged or of another format; the reason continues "FILE ...".
    """
    try:
        content = uncompressed(path.read_bytes())
    except FileNotFoundError:
        raise Unavailable("is not there") from None
    except OSError as error:
        raise Unavailable(f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise Unavailable(f"is {error}") from error
    try:
        file.check(content)
    except ValueError as error:
        raise Unavailable(f"is damaged, or of another format ({error})") from error
    return content


def read_fetched(path: Path, file: DataFile) -> bytearray:
    """Reads and checks a file that was fetched: by its SHA-256, or by its MD5, or where neither is known as one of a person."""
    if file.size is not None:
        return read_checked(path, file)
    if file.md5 is not None and (found := file_digest(path, "md5")) != file.md5:
        raise Unavailable(f"is another file: it has MD5 {found}, not {file.md5}")
    return read_placed(path, file)


def read_checked(path: Path, file: DataFile) -> bytearray:
    """Reads and uncompresses a file, and checks that it is the right one.

    Args:
        path: where it lies.
        file: what it should hold.

    Returns:
        Its content.

    Raises:
        Unavailable: if it is missing, unreadable, truncated or another file; the reason continues "FILE ...".
    """
    if file.size is None:
        raise ValueError(f"no size is known of {file.name}")
    content = bytearray(file.size)
    try:
        with gzip.open(path) as stream:
            length = 0
            while count := stream.readinto(memoryview(content)[length:]):
                length += count
            longer = bool(stream.read(1))
    except FileNotFoundError:
        raise Unavailable("is not there") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unavailable(f"is truncated or damaged ({error})") from error
    except OSError as error:
        raise Unavailable(f"cannot be read ({error.strerror or error})") from error
    if length != file.size or longer:
        raise Unavailable(f"holds {'more than' if longer else 'only'} {length} bytes, not {file.size}")
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise Unavailable(f"is another file: its content has SHA-256 {found}, not {file.sha256}")
    return content


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """Gives a path beside ``path`` to write to, which takes its place when the block ends without an error.

    A file that was there before is kept as ``NAME.bad``: it was not the right one, but may be somebody's.

    Raises:
        Unavailable: if the folder cannot be written to.
    """
    try:
        with written_beside(path) as beside:
            yield beside
            if path.exists():
                os.replace(path, path.with_name(path.name + ".bad"))
    except OSError as error:
        raise Unavailable(f"cannot write to {path.parent} ({error.strerror or error})") from error


class Folder:
    """A folder that may hold the files.

    Args:
        path: the folder; ``~`` is expanded. None if no folder was given.
        label: what asked for this folder, if anything did; then it is also logged that a file is missing there.
    """

    def __init__(self, path: str | os.PathLike[str] | None, label: str = "") -> None:
        self.path = None if path is None else Path(path).expanduser()
        self._label = label
        self._said: set[str] = set()

    def __str__(self) -> str:
        path = "" if self.path is None else str(self.path)
        return f"{self._label} ({path})" if path and self._label else path or self._label

    def read(self, file: DataFile) -> bytearray:
        """Reads a file of the folder; a file that is there but damaged is also logged."""
        if self.path is None:
            raise Unavailable("not set")
        if not self.path.is_dir():
            if self._label:
                self._say(f"{self}: no such folder")
            raise Unavailable("no such folder")
        names = (file.name, *file.other_names)
        path = next((p for name in names if (p := self.path / name).is_file()), self.path / file.name)
        try:
            return read_placed(path, file)
        except Unavailable as error:
            if self._label or path.exists():
                self._say(f"{path} {error}")
            raise Unavailable(f"{path.name} {error}") from error

    def _say(self, problem: str) -> None:
        if problem not in self._said:
            self._said.add(problem)
            logger.warning("%s; looking elsewhere", problem)


class WebFolder:
    """A web address under which the files can be downloaded.

    Args:
        url: the address of the folder, with a slash at its end.
        store: folder into which files are downloaded.
        timeout: seconds that the download of a file may take.
    """

    def __init__(self, url: str, store: Path, timeout: float) -> None:
        self.url = url
        self.store = store
        self.timeout = timeout

    def __str__(self) -> str:
        return self.url

    def read(self, file: DataFile) -> bytearray:
        """Downloads a file, checks it and keeps it."""
        with write_beside(self.store / file.name) as beside:
            try:
                receive(self.url + file.name, beside, file.name, self.timeout)
            except (OSError, ValueError) as error:
                raise Unavailable(f"download failed: {reason(error)}") from error
            try:
                return read_fetched(beside, file)
            except Unavailable as error:
                raise Unavailable(f"what was downloaded {error}") from error


def obtain(
    dataset: str, files: Sequence[DataFile], sources: Sequence[Source], advice: Sequence[str]
) -> list[bytearray]:
    """Reads each file from the first source that has it.

    Args:
        dataset: what the data set is called in messages.
        files: the files wanted.
        sources: where to look, in order.
        advice: what a person can do if a file is nowhere, one sentence an entry.

    Returns:
        The uncompressed contents.

    Raises:
        DataNotFoundError: if a file is nowhere; the message has each source with its reason, and the advice.
    """
    contents: list[bytearray] = []
    for file in files:
        reasons: list[str] = []
        for source in sources:
            try:
                contents.append(source.read(file))
                break
            except Unavailable as error:
                reasons.append(f"{source}: {error}")
        else:
            tried = "\n".join(f"  {number}. {reason}" for number, reason in enumerate(reasons, start=1))
            hints = "\n".join(f"  - {hint}" for hint in advice)
            raise DataNotFoundError(
                f"{file.name} of {dataset} was not found. Tried, in this order:\n{tried}\nWhat you can do:\n{hints}"
            )
    return contents
