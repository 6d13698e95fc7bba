"""What programs import from functional.utils."""

from __future__ import annotations

import pytest

import megengine.functional as F
from megengine import Tensor, jit


def test_assert_equal() -> None:
    x = Tensor([1.0, 200.0])
    assert F.utils._assert_equal(x, x + Tensor([9e-5, 0.01])) is not None
    with pytest.raises(RuntimeError, match=r"assert_equal at .*test_utils\.py:\d+.*differ by more than 0\.0001"):
        F.utils._assert_equal(x, x + 0.1)
    with pytest.raises(RuntimeError, match="0.001"):
        F.utils._assert_equal(x, Tensor([1.0, float("nan")]), maxerr=0.001)


def test_assert_equal_in_a_trace() -> None:
    step = jit.trace(lambda x, y: F.utils._assert_equal(x, y) * 2, without_host=True)
    one = Tensor([1.0])
    assert [step(one, one).item() for _ in range(3)] == [2.0] * 3
    with pytest.raises(RuntimeError, match="differ"):
        step(one, one + 1).item()
