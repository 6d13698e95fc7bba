"""A checksum after the pickle, which readers that do not know it never reach.

    pickle | for each large payload: offset, length, sum | magic, length of the pickle, number of payloads, CRC-32

The CRC covers the pickle without the payloads, and the table. A payload, the elements of a large array, has a
:class:`BlockSum`, which is computed about as fast as memory is read, while the payload is read.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from typing import BinaryIO

import numpy as np

from .errors import CheckpointError

PAYLOAD = 1 << 16  # bytes of a payload, at least
CHUNK = 1 << 20  # bytes read at a time: they are summed while the processor's cache holds them
_BLOCK = 1 << 12
_MAGIC = b"MGESAVE2"
_TRAILER = struct.Struct("<8sQII")
_ENTRY = struct.Struct("<QQI")


class BlockSum:
    """CRC-32 of the sums, modulo 2^64, of the 64-bit words of each 4 KiB; the last block is filled up with zeros.

    Any change of a single word is noticed, and any other damage but with a chance of about 2^-32.
    """

    def __init__(self) -> None:
        self.value = 0

    def add(self, sums: np.ndarray) -> None:
        """Go on with the :func:`block_sums` of the next bytes."""
        self.value = zlib.crc32(sums.data, self.value)


def block_sums(data: np.ndarray) -> np.ndarray:
    """The sum of each 4 KiB of an array of bytes; pieces other than the last have a multiple of that."""
    whole = len(data) - len(data) % _BLOCK
    sums: np.ndarray = data[:whole].view("<u8").reshape(-1, _BLOCK // 8).sum(axis=1, dtype=np.uint64)
    if whole == len(data):
        return sums
    last = np.zeros(_BLOCK, np.uint8)
    last[: len(data) - whole] = data[whole:]
    return np.append(sums, last.view("<u8").sum(dtype=np.uint64))


class SummedWriter(io.RawIOBase):
    """Passes writes on and keeps what the trailer says of them; payloads come as arrays of bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.length = 0
        self.crc = 0
        self.payloads: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview | np.ndarray) -> int:  # type: ignore[override]
        if isinstance(data, np.ndarray):
            total = BlockSum()
            for start in range(0, len(data), CHUNK):
                piece = data[start : start + CHUNK]
                total.add(block_sums(piece))
                self.file.write(piece.data)
            self.payloads.append(_ENTRY.pack(self.length, len(data), total.value))
            self.length += len(data)
            return len(data)
        view = memoryview(data)
        self.crc = zlib.crc32(view, self.crc)
        self.length += view.nbytes
        return self.file.write(view)

    def finish(self) -> None:
        """Write the trailer."""
        table = b"".join(self.payloads)
        self.file.write(table)
        self.file.write(_TRAILER.pack(_MAGIC, self.length, len(self.payloads), zlib.crc32(table, self.crc)))


def verified_payloads(file: BinaryIO, name: str) -> dict[tuple[int, int], int] | None:
    """Check all but the payloads; the payloads' sums by offset and length, or None where the file has no checksum.

    Raises:
        CheckpointError: the file is empty or damaged.
    """
    info = os.fstat(file.fileno())
    if not stat.S_ISREG(info.st_mode):
        return None
    if info.st_size == 0:
        raise CheckpointError(f"cannot load {name}: the file is empty")
    if info.st_size < _TRAILER.size:
        return None
    file.seek(-_TRAILER.size, os.SEEK_END)
    magic, length, count, expected = _TRAILER.unpack(file.read(_TRAILER.size))
    if magic != _MAGIC:
        file.seek(0)
        return None
    damaged = CheckpointError(f"cannot load {name}: its content does not match its checksum, the file is damaged")
    if length + count * _ENTRY.size + _TRAILER.size != info.st_size:
        raise damaged
    file.seek(length)
    table = file.read(count * _ENTRY.size)
    entries = list(_ENTRY.iter_unpack(table))
    crc = position = 0
    for start, size, _ in [*entries, (length, 0, 0)]:
        if start < position or start + size > length:
            raise damaged
        file.seek(position)
        while position < start:
            piece = file.read(min(CHUNK, start - position))
            crc, position = zlib.crc32(piece, crc), position + len(piece)
        position = start + size
    if zlib.crc32(table, crc) != expected:
        raise damaged
    file.seek(0)
    return {(start, size): total for start, size, total in entries}
