"""Whether integers are in a range: what rules on operands' values ask."""

from __future__ import annotations

from typing import Any

import numpy as np

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_least, _most = np.minimum.reduce, np.maximum.reduce


def within(index: Any, low: int, high: int) -> Any:
    """Whether all of ``index`` are in ``[low, high)``, as a bool of NumPy's or JAX's."""
    if isinstance(index, np.ndarray) and index.dtype.kind in "iu":
        return all_within(index, low, high)
    index = index.astype("int32")
    return ((index >= low) & (index < high)).all()


def all_within(integers: np.ndarray, low: int, high: int) -> bool:
    """The same of integers on the host."""
    if not integers.size:
        return True
    if low == 0:  # seen as unsigned, negative numbers are large: one pass instead of two
        return bool(_most(integers.view(_UNSIGNED[integers.itemsize]), None) < high)
    return bool(low <= _least(integers, None) and _most(integers, None) < high)
