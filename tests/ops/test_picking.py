"""argmax, argmin and topk where values tie, are NaN, or are the smallest integers."""

from __future__ import annotations

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_of_equal_ones_and_nan_before_all(name: str, axis: int | None, rng: np.random.Generator) -> None:
    x = rng.integers(0, 3, (5, 6)).astype(np.float32)
    for values in (x, np.where(x == 1, np.nan, x), np.where(x == 1, np.inf, x)):
        np.testing.assert_array_equal(getattr(F, name)(Tensor(values), axis), getattr(np, name)(values, axis))


def test_topk_of_ties_and_extremes() -> None:
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    x = np.int32([[3, low, high, low, 3, 0]])
    for descending, wanted, places in ((True, [high, 3, 3], [2, 4, 0]), (False, [low, low, 0], [1, 3, 5])):
        values, indices = F.topk(Tensor(x), 3, descending)
        np.testing.assert_array_equal(values, [wanted])
        np.testing.assert_array_equal(indices, [places])
    values, indices = F.topk(Tensor(np.float32([[2, np.inf, -np.inf, 2]])), 3, False)
    np.testing.assert_array_equal(values, [[-np.inf, 2, 2]])
    np.testing.assert_array_equal(indices, [[2, 0, 3]])
