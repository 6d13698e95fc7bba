"""Reads the bytes of arrays from a file into memory of their own, once, and checks their sums on the way.

Where the checksum's table says what will be needed, threads read ahead of the unpickler.
"""

from __future__ import annotations

import io
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from .arrays import Memory
from .checksum import CHUNK, BlockSum, block_sums
from .errors import CheckpointError

_PIECE = 1 << 24
_AHEAD = 1 << 24  # bytes of payloads from which on threads are worth starting
_THREADS = min(4, os.cpu_count() or 1)


class Reader:
    """The bytes of a file that can be read at any position.

    Args:
        file: binary file object.
        sums: those of payloads, by offset and length.
    """

    def __init__(self, file: Any, sums: dict[tuple[int, int], int]) -> None:
        start = file.tell()
        self._file = file
        self._end = file.seek(0, 2)
        file.seek(start)
        self.memory = Memory(self._end - start)
        self._sums = sums
        self._handle = file.fileno() if type(file) is io.BufferedReader and type(file.raw) is io.FileIO else None
        self._ahead: dict[tuple[int, int], tuple[np.ndarray, list[Future[np.ndarray]]]] = {}
        self._pool: ThreadPoolExecutor | None = None
        if self._handle is not None and _THREADS > 1 and sum(size for _, size in sums) >= _AHEAD:
            self._read_ahead()

    def close(self) -> None:
        """Stop reading ahead."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._ahead.clear()

    def read(self, size: int) -> np.ndarray:
        """The next bytes.

        Raises:
            EOFError: the file ends before.
            CheckpointError: they do not match their checksum.
        """
        start = self._file.tell()
        if size > self._end - start:
            raise EOFError("pickle data was truncated")
        expected = self._sums.get((start, size))
        buffer, pieces = self._ahead.pop((start, size), (None, []))
        total = BlockSum()
        if buffer is None:
            buffer = self.memory.take(size)
            total.add(self._fill(buffer, start, expected is not None))
        for piece in pieces:
            total.add(piece.result())
        self._file.seek(start + size)
        if expected is not None and total.value != expected:
            raise CheckpointError("the elements of an array do not match their checksum")
        return buffer

    def _read_ahead(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "megengine-load")
        for start, size in self._sums:
            buffer = self.memory.take(size)
            cuts = range(0, size, _PIECE)
            pieces = [self._pool.submit(self._fill, buffer[at : at + _PIECE], start + at, True) for at in cuts]
            self._ahead[start, size] = buffer, pieces

    def _fill(self, buffer: np.ndarray, start: int, summed: bool) -> np.ndarray:
        """Read bytes; the sums of their blocks, if they are wanted."""
        step = CHUNK if summed else max(len(buffer), 1)
        sums = []
        for at in range(0, len(buffer), step):
            piece = buffer[at : at + step]
            self._read_at(piece, start + at)
            if summed:
                sums.append(block_sums(piece))
        return np.concatenate(sums) if sums else np.empty(0, np.uint64)

    def _read_at(self, piece: np.ndarray, start: int) -> None:
        done = 0
        if self._handle is None:
            self._file.seek(start)
            done = self._file.readinto(piece)
        else:
            while done < len(piece) and (more := os.preadv(self._handle, [piece[done:].data], start + done)):
                done += more
        if done != len(piece):
            raise EOFError("the file became shorter while it was read")
