"""Indices out of range, noticed while their values are still on the host; values yet to be computed are not waited for."""

from __future__ import annotations

from typing import Any

import numpy as np

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_largest = np.maximum.reduce


def outside(index: Any, low: int, high: int) -> int | None:
    """A number of an index tensor that is not in ``[low, high)``; None if there is none, or if that is not known yet."""
    values = index._value.array
    if type(values) is not np.ndarray or not values.size:
        return None
    if low == 0 and values.dtype.kind in "iu":  # seen as unsigned, negative numbers are large: one pass instead of two
        unsigned = values.view(_UNSIGNED[values.itemsize])
        if _largest(unsigned, None) < high:
            return None
    smallest, largest = values.min(), values.max()
    if smallest < low:
        return int(smallest)
    return int(largest) if largest >= high else None
