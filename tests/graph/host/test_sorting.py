"""Orders against XLA's, bit for bit."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from .ulps import FLOATS, INTS, same, special


def repeated(dtype, shape=(6, 9)):
    """Values with equals among them, special ones too."""
    rng = np.random.default_rng(0)
    return rng.choice(special(dtype), shape)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTS, "bool"])
def test_sorting(dtype):
    x = repeated(dtype)
    same(
        lambda x: {
            "sort": [lax.sort(x, k) for k in (0, 1)],
            "argsort": [jnp.argsort(x, k) for k in (0, 1)],
            "along with another": lax.sort((x, x[::-1] * 1 if x.dtype != bool else x), 1, num_keys=1),
        },
        x,
        ulps=0,
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "bool"])
def test_sorting_by_several_keys(dtype):
    x, y = repeated(dtype), repeated("float32")[::-1].copy()
    third = np.arange(x.size, dtype=np.int32).reshape(x.shape)
    same(lambda *xs: [lax.sort(xs, k, num_keys=n) for k in (0, 1) for n in (1, 2, 3)], x, y, third, ulps=0)


def test_sorting_of_many_elements():
    """Where not all are sorted to find the largest, and where there are no zeros whose signs differ."""
    x = np.random.default_rng(0).standard_normal((3, 200)).astype(np.float32)
    same(
        lambda x: [lax.sort(x), lax.sort(jnp.abs(x)), jnp.argsort(x, 0)] + [lax.top_k(x, k) for k in (1, 7)], x, ulps=0
    )
    same(lambda x: lax.top_k(x, 7), (x * 4).astype(np.int8), ulps=0)


def test_sorting_of_nothing_and_of_complex_numbers():
    same(lambda x: [lax.sort(x), jnp.argsort(x, 0)], np.zeros((0, 3), np.float32))
    z = np.array([1 + 2j, 1 - 2j, 0 + 5j, -1 + 0j, 1 + 2j, -0.0 + 1j, 0.0 - 1j], np.complex64)
    same(lax.sort, z, ulps=0)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTS])
def test_largest(dtype):
    """The first of equals; by bits, where NaN is beyond infinity and -0 below 0."""
    x = repeated(dtype, (4, 40))
    same(lambda x: [lax.top_k(x, k) for k in (0, 1, 2, 5, 40)] + [lax.top_k(x, 2, axis=0)], x, ulps=0)
    if dtype in FLOATS:
        signed = np.concatenate([x, -x], 1)
        same(lambda x: lax.top_k(x, 70), signed, ulps=0)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTS])
def test_places_among_what_is_sorted(dtype):
    x = repeated(dtype, (40,))
    if dtype in FLOATS:
        x = np.concatenate([x, -x])
    same(lambda x: [jnp.searchsorted(lax.sort(x), x, side) for side in ("left", "right")], x, ulps=0)
