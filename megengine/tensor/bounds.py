"""Indices out of range, noticed while their values are still on the host; values yet to be computed are not waited for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.bounds import all_within


def outside(index: Any, low: int, high: int) -> int | None:
    """A number of an index tensor that is not in ``[low, high)``; None if there is none, or if that is not known yet."""
    values = index._value.array
    if type(values) is not np.ndarray or not values.size:
        return None
    if values.dtype.kind in "iu" and all_within(values, low, high):
        return None
    smallest, largest = values.min(), values.max()
    if smallest < low:
        return int(smallest)
    return int(largest) if largest >= high else None
