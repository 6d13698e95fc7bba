"""PNG files from arrays, encoded with zlib alone.

Source: `PNG specification, third edition <https://www.w3.org/TR/png-3/>`_.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

__all__ = ["data_uri", "encode_png"]

GRAY, PALETTE = 0, 3  # colour types


def encode_png(pixels: np.ndarray, palette: np.ndarray | None = None) -> bytes:
    """Encodes 8-bit pixels.

    Args:
        pixels: shape (height, width), uint8: grey values, or indices into the palette.
        palette: shape (n, 3) with n <= 256, uint8 red, green, blue.

    Raises:
        ValueError: if a shape or dtype is another one.

    Example:
        >>> from megengine.tools.report.png import encode_png
        >>> encode_png(np.zeros((2, 3), np.uint8))[:4]
        b'\\x89PNG'
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"pixels must be uint8 of shape (height, width), not {pixels.dtype} {pixels.shape}")
    if palette is not None and (palette.ndim != 2 or palette.shape[1] != 3 or palette.dtype != np.uint8):
        raise ValueError(f"a palette must be uint8 of shape (n, 3), not {palette.dtype} {palette.shape}")
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, GRAY if palette is None else PALETTE, 0, 0, 0)
    rows = np.zeros((height, width + 1), np.uint8)  # each row starts with its filter, 0 = none
    rows[:, 1:] = pixels
    chunks = [_chunk(b"IHDR", header)]
    if palette is not None:
        chunks.append(_chunk(b"PLTE", palette.tobytes()))
    chunks += [_chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def data_uri(png: bytes) -> str:
    """The PNG as a URI that holds it whole."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
