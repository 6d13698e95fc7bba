"""Memory that plans have while they run, kept from one run to the next: new memory has to be cleared by the system first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

ALIGNMENT = 64
# What needs more gets memory of its own each time.
MOST_BYTES = 64 << 20
_idle: list[np.ndarray] = []  # one for each thread that has run plans at a time


@contextmanager
def scratch(size: int) -> Iterator[int]:
    """The address of so many bytes, which nothing else uses meanwhile; aligned, with anything in them."""
    if not size:
        yield 0
        return
    try:
        block = _idle.pop()
    except IndexError:
        block = np.empty(0, np.uint8)
    if block.nbytes < size + ALIGNMENT:
        block = np.empty(size + ALIGNMENT, np.uint8)
    try:
        yield -(-block.ctypes.data // ALIGNMENT) * ALIGNMENT
    finally:
        if block.nbytes <= MOST_BYTES:
            _idle.append(block)
