"""Memory that two processes share and that has no name, so that nothing is left of it once both are gone.

A *slot* holds one batch. The worker writes into it; the loader's process hands out arrays that look into it, and gives it back to
the worker when the last of them is gone.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Lease", "Shelf", "Slot", "anonymous_file", "layout"]

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


class Shelf:
    """Where slots wait to be written again.

    Example:
        >>> shelf = Shelf()
        >>> shelf.put("slot")
        >>> len(shelf), shelf.take()
        (1, 'slot')
        >>> shelf.close()
        >>> shelf.put("another")
        >>> len(shelf)
        0
    """

    def __init__(self) -> None:
        self._slots: deque[Any] | None = deque()

    def __len__(self) -> int:
        return len(self._slots or ())

    def put(self, slot: Any) -> None:
        """Puts a slot there, from any thread; once the shelf is closed, slots are let go of."""
        if (slots := self._slots) is not None:
            slots.append(slot)

    def take(self) -> Any:
        """The slot that was put there last, which is the most likely to be in the processor's cache."""
        assert self._slots is not None
        return self._slots.pop()

    def close(self) -> None:
        """Lets go of all slots, and of those that are still to come."""
        self._slots = None


class Lease:
    """Keeps a slot from being written again while arrays made from the lease are in use.

    ``np.asarray(lease)`` is the slot's memory; what is made from that array keeps the lease alive.

    Args:
        slot: what is lent.
        shelf: where the slot is put when nothing refers to the lease any more.

    Example:
        >>> import os
        >>> descriptor, shelf = anonymous_file(8), Shelf()
        >>> part = np.asarray(Lease(Slot(0, descriptor), shelf))[2:4]
        >>> os.close(descriptor)
        >>> len(shelf)
        0
        >>> del part
        >>> len(shelf)
        1
    """

    def __init__(self, slot: Slot, shelf: Shelf) -> None:
        self._slot = slot
        self._shelf = shelf
        self.__array_interface__ = slot.bytes.__array_interface__

    def __del__(self) -> None:
        self._shelf.put(self._slot)
