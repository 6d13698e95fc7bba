"""The ranges of integers, of arrays on the host and of JAX's, against the definition."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megengine.ops.bounds import within

DTYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32]


@given(st.data(), st.sampled_from(DTYPES))
def test_within(data: st.DataObject, dtype: type[np.integer]) -> None:
    info = np.iinfo(dtype)
    numbers = data.draw(st.lists(st.integers(max(-9, info.min), 9) | st.sampled_from([info.min, info.max]), max_size=6))
    low, high = data.draw(st.sampled_from([(0, 5), (0, 10), (-5, 5), (1, 9), (-10, 10)]))
    array = np.array(numbers, dtype)
    expected = all(low <= n < high for n in numbers)
    for given_array in (array, array[::-1], array.reshape(-1, 1), np.asfortranarray(np.stack([array, array]))):
        assert within(given_array, low, high) == expected
    assert within(jnp.asarray(array), low, high) == expected


@pytest.mark.parametrize("low", [0, -3])
def test_floats_are_seen_as_the_integers_that_they_become(low: int) -> None:
    assert within(np.array([0.5, 2.9], np.float32), low, 3)
    assert not within(np.array([3.0], np.float32), low, 3)
