"""Downloading files: with a progress bar, going on after a lost connection, checked, and whole or not there at all."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .files import written_beside

__all__ = [
    "CHUNK_SIZE",
    "HTTP_CONNECTION_TIMEOUT",
    "HTTPDownloadError",
    "download_from_url",
    "file_digest",
    "progress_bar",
    "digest_prefix",
    "reason",
    "receive",
]

CHUNK_SIZE = 1 << 16
HTTP_CONNECTION_TIMEOUT = 30  # seconds without a byte, whatever the limit on a whole download
ATTEMPTS = 4  # connections for one file, as long as each brings something


class HTTPDownloadError(OSError):
    """A file could not be downloaded; the message says from where and why."""

    __module__ = "megengine.utils.http_download"  # where programs know it


def download_from_url(url: str, dst: str | os.PathLike[str], *, sha256: str | None = None) -> str:
    """Download a file. It appears at its place when it is complete, and never in part.

    A connection that is lost is taken up again where it ended. On a terminal a bar shows the progress.

    Args:
        url: an ``http``, ``https``, ``ftp`` or ``file`` address.
        dst: the file to write; ``~`` is expanded, folders are made, a file that is there is replaced.
        sha256: the SHA-256 that the file must have, in hexadecimal, or the first eight or more digits of it.

    Returns:
        The file's MD5 in hexadecimal, as MegEngine gives it.

    Raises:
        HTTPDownloadError: the address does not answer or has no such file, or it is another file; an ``OSError``.
        ValueError: no address of these kinds, or ``sha256`` is no such number.

    Example:
        >>> from megengine.utils.http_download import download_from_url
        >>> from pathlib import Path
        >>> source = Path("source.txt").absolute()
        >>> _ = source.write_text("hello")
        >>> download_from_url(source.as_uri(), "copy.txt")
        '5d41402abc4b2a76b9719d911017c592'
        >>> Path("copy.txt").read_text()
        'hello'
    """
    path = Path(dst).expanduser()
    wanted = None if sha256 is None else digest_prefix(sha256)
    try:
        with written_beside(path) as part:
            receive(url, part, path.name)
            if wanted is not None and not (found := file_digest(part, "sha256")).startswith(wanted):
                raise HTTPDownloadError(f"it is another file: its SHA-256 is {found}, not {sha256}")
            return file_digest(part, "md5")
    except OSError as error:
        raise HTTPDownloadError(f"cannot download {url} to {path}: {reason(error)}") from error


def digest_prefix(sha256: str) -> str:
    """A SHA-256 or the start of one, in lower case.

    Raises:
        ValueError: it is not in hexadecimal, or less than eight digits.
    """
    digits = sha256.lower()
    if not 8 <= len(digits) <= 64 or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"sha256={sha256!r}: write 8 to 64 hexadecimal digits")
    return digits


def file_digest(path: Path, algorithm: str) -> str:
    """A file's digest in hexadecimal.

    Example:
        >>> from megengine.utils.http_download import file_digest
        >>> from pathlib import Path
        >>> _ = Path("a.txt").write_text("hello")
        >>> file_digest(Path("a.txt"), "md5")
        '5d41402abc4b2a76b9719d911017c592'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def reason(error: Exception) -> str:
    """Why a download failed, in few words."""
    return str(getattr(error, "reason", None) or error)


@contextmanager
def progress_bar(name: str, total: int | None) -> Iterator[Callable[[float | None], Any]]:
    """Shows a bar of bytes on a terminal; what it gives takes the number of further bytes."""
    from tqdm import tqdm

    with tqdm(total=total, desc=name, unit="B", unit_scale=True, unit_divisor=1024, disable=None, leave=False) as bar:
        yield bar.update


class _Interrupted(OSError):
    """A connection ended before the file did."""


def receive(url: str, target: Path, name: str, timeout: float | None = None) -> None:
    """Write what an address has to a file; a connection that is lost is taken up again where it ended.

    Args:
        url: an ``http``, ``https``, ``ftp`` or ``file`` address.
        target: the file to write.
        name: what the progress bar calls it.
        timeout: seconds that it may take. Default: no limit, but on a pause

    Raises:
        OSError: the address does not answer, has no such file, or does not finish.
        ValueError: no such kind of address.
    """
    with target.open("wb") as output:
        transfer = _Transfer(url, output, name, timeout)
        for attempt in range(1, ATTEMPTS + 1):
            begun = output.tell()
            try:
                return transfer.go_on()
            except (_Interrupted, ConnectionError, TimeoutError):
                brought_nothing = output.tell() <= begun
                if attempt == ATTEMPTS or brought_nothing or transfer.late():
                    raise
                time.sleep(0.2 * attempt)


class _Transfer:
    """A file on its way, over one connection or several."""

    def __init__(self, url: str, output: BinaryIO, name: str, timeout: float | None) -> None:
        self.url = url
        self.output = output
        self.name = name
        self.timeout = timeout
        self.deadline = float("inf") if timeout is None else time.monotonic() + timeout
        self.version: str | None = None  # the server's name for the file's content, for asking for the rest of the same

    def late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self.deadline

    def go_on(self) -> None:
        """Open a connection and write what it brings.

        Raises:
            _Interrupted: it ended early.
        """
        import http.client
        import urllib.error
        import urllib.request  # only a download is worth the time of importing it

        headers = {"User-Agent": "megengine"}
        if self.output.tell() and self.version:
            headers |= {"Range": f"bytes={self.output.tell()}-", "If-Range": self.version}
        pause = min(HTTP_CONNECTION_TIMEOUT, self.timeout or HTTP_CONNECTION_TIMEOUT)
        request = urllib.request.Request(self.url, headers=headers)
        try:
            connection = urllib.request.urlopen(request, timeout=pause)
        except urllib.error.HTTPError as error:
            error.close()  # its connection would stay open as long as the error is known
            raise
        with connection as response:
            if getattr(response, "status", None) != 206:  # all of it, not the rest
                self.output.seek(0)
                self.output.truncate()
            length = int(response.headers.get("Content-Length") or 0)
            self.version = response.headers.get("ETag") or response.headers.get("Last-Modified")
            try:
                self._write(response, self.output.tell() + length if length else None)
            except http.client.IncompleteRead as error:
                raise _Interrupted(f"the connection ended early ({error})") from error

    def _write(self, response: Any, total: int | None) -> None:
        with progress_bar(self.name, total) as advance:
            advance(self.output.tell())
            while chunk := response.read(CHUNK_SIZE):
                self.output.write(chunk)
                advance(len(chunk))
                if self.late():
                    raise TimeoutError(f"not finished after {self.timeout:g} s")
        if total is not None and self.output.tell() < total:
            raise _Interrupted(f"the connection ended after {self.output.tell()} of {total} bytes")
