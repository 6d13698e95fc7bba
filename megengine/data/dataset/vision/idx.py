"""The IDX format of MNIST: a big-endian header with the shape, then the values."""

from __future__ import annotations

import math
import struct

import numpy as np

__all__ = ["parse_idx"]


def parse_idx(content: bytes | bytearray) -> tuple[int, np.ndarray]:
    """Reads an IDX file of bytes.

    Args:
        content: the uncompressed file.

    Returns:
        Its magic number, and its values as a uint8 array that shares the memory of ``content``.

    Raises:
        ValueError: if it is no IDX file of bytes, or its length does not fit its header.

    Example:
        >>> from megengine.data.dataset.vision.idx import parse_idx
        >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 10, 20, 30]))
        (2049, array([10, 20, 30], dtype=uint8))
    """
    if len(content) < 4:
        raise ValueError(f"an IDX file starts with 4 bytes, but there are {len(content)}")
    (magic,) = struct.unpack_from(">i", content)
    ndim = magic & 0xFF
    if magic >> 8 != 0x08 or len(content) < 4 + 4 * ndim:
        raise ValueError(f"no IDX file of bytes: its magic number is {magic:#010x}")
    shape = struct.unpack_from(f">{ndim}i", content, 4)
    start = 4 + 4 * ndim
    if len(content) - start != math.prod(shape):
        raise ValueError(
            f"an IDX file of shape {shape} holds {math.prod(shape)} bytes, but there are {len(content) - start}"
        )
    return magic, np.frombuffer(content, np.uint8, offset=start).reshape(shape)
