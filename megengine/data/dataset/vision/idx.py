"""The IDX format of MNIST: a big-endian header with the shape, then the values."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib

import numpy as np

__all__ = ["parse_idx", "read_idx", "uncompressed"]

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def parse_idx(content: bytes | bytearray) -> tuple[int, np.ndarray]:
    """Reads an IDX file.

    Args:
        content: the uncompressed file.

    Returns:
        Its magic number, and its values; those of a file of bytes share the memory of ``content``.

    Raises:
        ValueError: if it is no IDX file, or its length does not fit its header.

    Example:
        >>> from megengine.data.dataset.vision.idx import parse_idx
        >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 10, 20, 30]))
        (2049, array([10, 20, 30], dtype=uint8))
    """
    if len(content) < 4:
        raise ValueError(f"an IDX file starts with 4 bytes, but there are {len(content)}")
    (magic,) = struct.unpack_from(">i", content)
    ndim, kind = magic & 0xFF, magic >> 8
    start = 4 + 4 * ndim
    if kind not in _DTYPES or not ndim or len(content) < start:
        raise ValueError(f"no IDX file: its magic number is {magic:#010x}")
    shape = struct.unpack_from(f">{ndim}I", content, 4)
    dtype = np.dtype(_DTYPES[kind])
    wanted = math.prod(shape) * dtype.itemsize
    if len(content) - start != wanted:
        raise ValueError(f"an IDX file of shape {shape} holds {wanted} bytes, but there are {len(content) - start}")
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return magic, values if dtype.itemsize == 1 else values.astype(dtype.newbyteorder("="))


def uncompressed(content: bytes) -> bytearray:
    """The content of a file, compressed with gzip or not; its first bytes say.

    Raises:
        ValueError: if it is truncated or damaged.

    Example:
        >>> from megengine.data.dataset.vision.idx import uncompressed
        >>> uncompressed(gzip.compress(b"digits")), uncompressed(b"digits")
        (bytearray(b'digits'), bytearray(b'digits'))
    """
    if content[:2] != b"\x1f\x8b":
        return bytearray(content)
    try:
        return bytearray(gzip.decompress(content))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"truncated or damaged ({error})") from error


def read_idx(path: str | os.PathLike[str]) -> tuple[int, np.ndarray]:
    """Reads an IDX file, compressed with gzip or not.

    Args:
        path: the file.

    Returns:
        As :func:`parse_idx`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or no IDX file; it names the path.
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return parse_idx(uncompressed(content))
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)} is damaged, or no IDX file: {error}") from error
