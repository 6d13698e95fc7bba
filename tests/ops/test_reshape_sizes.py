"""A reshape to sizes that do not fit is refused when it is recorded, whatever sizes were recorded before."""

from __future__ import annotations

import numpy as np
import pytest

from megengine import Tensor
from megengine.graph.apply import apply
from megengine.ops import shape


def test_sizes_are_checked_after_others_were_traced() -> None:
    for n in (2, 3, 5):
        assert apply(shape.reshape, Tensor(np.ones((n, 4, 1), np.float32)) + 1, shape=(n, 4)).shape == (n, 4)
    with pytest.raises(RuntimeError, match=r"cannot reshape \(7, 4, 1\) \(28 elements\) to \(2, 4\)"):
        apply(shape.reshape, Tensor(np.ones((7, 4, 1), np.float32)) + 1, shape=(2, 4))
