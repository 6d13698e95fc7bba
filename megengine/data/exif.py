"""Which way up a WebP picture is: OpenCV turns other formats as their EXIF data say, WebP only in its newer releases."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

__all__ = ["is_webp", "turned", "webp_orientation"]

_ORIENTATION = 0x0112
_MARK = b"Exif\0\0"  # of JPEG files; some programs put it into WebP files as well


def is_webp(content: bytes) -> bool:
    """Whether a file is a WebP picture.

    Example:
        >>> from megengine.data.exif import is_webp
        >>> is_webp(b"RIFF....WEBPVP8 ...")
        True
    """
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def webp_orientation(content: bytes) -> int:
    """The EXIF orientation of a WebP picture, 1 to 8; 1, upright, if it says nothing that can be understood.

    Args:
        content: the file.
    """
    place = 12
    while place + 8 <= len(content):
        kind, size = content[place : place + 4], struct.unpack_from("<I", content, place + 4)[0]
        if kind == b"EXIF":
            return _orientation(content[place + 8 : place + 8 + size].removeprefix(_MARK))
        place += 8 + size + (size & 1)
    return 1


def _orientation(exif: bytes) -> int:
    """The orientation in the first directory of TIFF data."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return 1
    start = struct.unpack_from(order + "I", exif, 4)[0]
    if start + 2 > len(exif):
        return 1
    count = struct.unpack_from(order + "H", exif, start)[0]
    for entry in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, _, _, value = struct.unpack_from(order + "HHIH", exif, entry)
        if tag == _ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1


def turned(image: Any, orientation: int) -> Any:
    """An image as its orientation says: 1 upright, 2 to 4 mirrored or turned by half, 5 to 8 with its axes exchanged.

    Args:
        image: of shape (H, W) or (H, W, C).
        orientation: 1 to 8, as EXIF numbers them.

    Example:
        >>> from megengine.data.exif import turned
        >>> turned(np.array([[1, 2]]), 6)
        array([[1],
               [2]])
    """
    if orientation == 1:
        return image
    if orientation >= 5:
        image = np.swapaxes(image, 0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(image[rows, columns])
