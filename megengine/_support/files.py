"""Files that are either the old ones or the new ones, whenever the program or the machine stops."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)

__all__ = ["replacing", "write_atomically", "written_beside"]


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A file to write that takes ``path``'s place when the block ends without an error.

    Raises:
        OSError: it cannot be written; the message names it.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f"cannot save to {path}: it is a folder")
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as device:  # a pipe or device cannot be replaced
            yield device
        return
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.tmp")
    with _removed_after_errors(beside):
        try:
            file = open(beside, "xb")  # noqa: SIM115
        except OSError as error:
            raise type(error)(error.errno, f"cannot save to {path}: {error.strerror}") from None
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if os.path.exists(path):
                shutil.copymode(path, beside)
            os.replace(beside, path)
        except OSError as error:
            if error.filename is None and error.errno in _NO_ROOM:
                raise type(error)(error.errno, f"cannot save to {path}: {error.strerror}") from None
            raise
    _sync_folder(folder)


@contextlib.contextmanager
def _removed_after_errors(path: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong is what is told, as where the folder is none
            os.unlink(path)
        raise


def write_atomically(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write a whole file, which takes the place of an old one at once.

    Args:
        path: the file to make or replace; its folder must exist.
        data: the whole content; text is written as UTF-8.

    Raises:
        OSError: it cannot be written; the old file is then untouched.

    Example:
        >>> from pathlib import Path
        >>> from megengine._support.files import write_atomically
        >>> write_atomically("a.txt", "new")
        >>> Path("a.txt").read_text()
        'new'
    """
    with replacing(os.fspath(path)) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Gives a path beside ``path`` to write to, which takes its place when the block ends without an error.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with _removed_after_errors(str(part)):
        part.touch(exist_ok=False)
        yield part
        part.chmod(0o644)
        os.replace(part, path)


def _sync_folder(folder: str) -> None:
    """Make the rename itself durable, where the system lets folders be synchronised."""
    with contextlib.suppress(OSError):
        handle = os.open(folder or ".", os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
