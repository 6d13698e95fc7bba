"""Memory that two processes share and that has no name, so that nothing is left of it once both are gone.

A *slot* holds one batch. The worker writes into it; the loader's process hands out arrays that look into it, and gives it back to
the worker when the last of them is gone.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Lease", "Slot", "anonymous_file", "layout"]

_ALIGNMENT = 64


def anonymous_file(size: int) -> int:
    """A descriptor of new memory, all zeros.

    Args:
        size: bytes.

    Example:
        >>> import os
        >>> descriptor = anonymous_file(100)
        >>> os.fstat(descriptor).st_size, os.fstat(descriptor).st_nlink
        (100, 0)
        >>> os.close(descriptor)
    """
    descriptor = os.memfd_create("megengine-data", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def layout(sizes: Sequence[int]) -> tuple[list[tuple[int, int]], int]:
    """Where to put buffers one after another, at addresses that vector instructions like.

    Args:
        sizes: bytes of each.

    Returns:
        ``(start, end)`` of each, and the size of all.

    Example:
        >>> layout([3, 100])
        ([(0, 3), (64, 164)], 164)
    """
    spans, end = [], 0
    for size in sizes:
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        end = start + size
        spans.append((start, end))
    return spans, end


class Slot:
    """A piece of shared memory, mapped into this process.

    Attributes:
        name: the number by which both processes know it.
        bytes: its memory, as an array of uint8.

    Args:
        name: the number.
        descriptor: of the memory; it stays the caller's.

    Example:
        >>> import os
        >>> descriptor = anonymous_file(8)
        >>> one, other = Slot(0, descriptor), Slot(0, descriptor)
        >>> os.close(descriptor)
        >>> one.bytes[:] = 7
        >>> other.bytes.tolist()
        [7, 7, 7, 7, 7, 7, 7, 7]
    """

    def __init__(self, name: int, descriptor: int) -> None:
        self.name = name
        self.bytes = np.frombuffer(mmap.mmap(descriptor, 0), np.uint8)


class Lease:
    """Keeps a slot from being written again while arrays made from the lease are in use.

    ``np.asarray(lease)`` is the slot's memory; what is made from that array keeps the lease alive.

    Args:
        slot: what is lent.
        returned: list to which the slot is appended when nothing refers to the lease any more.

    Example:
        >>> import os
        >>> descriptor, returned = anonymous_file(8), []
        >>> part = np.asarray(Lease(Slot(0, descriptor), returned))[2:4]
        >>> os.close(descriptor)
        >>> len(returned)
        0
        >>> del part
        >>> len(returned)
        1
    """

    def __init__(self, slot: Slot, returned: Any) -> None:
        self._slot = slot
        self._returned = returned
        self.__array_interface__ = slot.bytes.__array_interface__

    def __del__(self) -> None:
        self._returned.append(self._slot)
