"""Products of matrices by BLAS, of which account is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blas import COUNTS, multiplies


def matmul(x: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> Any:
    """``numpy.matmul`` of arrays of two dimensions or more."""
    count = x.size * y.shape[-1]
    if count >= COUNTS:
        multiplies(count)
    return np.matmul(x, y, out=out)
