"""Reductions over windows, and their gradients, against XLA's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from .agreement import agree

SETTINGS = [
    # input, window, strides, padding, input's dilation, window's
    ((2, 3, 8, 6), (1, 1, 2, 2), (1, 1, 2, 2), [(0, 0)] * 4, (1,) * 4, (1,) * 4),
    ((2, 3, 9, 7), (1, 1, 3, 3), (1, 1, 2, 2), [(0, 0), (0, 0), (1, 1), (1, 1)], (1,) * 4, (1,) * 4),
    ((3, 9), (1, 4), (1, 3), [(0, 0), (5, 2)], (1, 1), (1, 2)),
    ((5, 9), (2, 3), (1, 2), [(-1, 2), (-2, -1)], (1, 1), (1, 1)),
    ((5, 4), (2, 3), (2, 1), [(1, 2), (0, 1)], (2, 3), (1, 2)),
    ((7,), (7,), (1,), [(6, 0)], (1,), (1,)),
    ((0, 4), (1, 2), (1, 1), [(0, 0), (0, 0)], (1, 1), (1, 1)),
    ((2, 0), (1, 2), (1, 1), [(0, 0), (2, 1)], (1, 1), (1, 1)),
    ((2, 3), (1, 4), (1, 1), [(0, 0), (0, 0)], (1, 1), (1, 1)),
    ((), (), (), [], (), ()),
]
LOWEST = {lax.add: 0, lax.max: -np.inf, lax.min: np.inf, lax.mul: 1}


def inputs(rng, dtype, settings=SETTINGS):
    if np.issubdtype(dtype, np.integer):
        return [np.asarray(rng.integers(-100, 100, c[0])).astype(dtype) for c in settings]
    return [np.asarray(rng.standard_normal(c[0])).astype(dtype) for c in settings]


def first(operation, dtype):
    if jnp.issubdtype(dtype, np.integer) and operation in (lax.max, lax.min):
        return np.array(np.iinfo(dtype).min if operation is lax.max else np.iinfo(dtype).max, dtype)
    return np.array(LOWEST[operation], dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32"])
def test_reductions(dtype):
    dtype = jnp.dtype(dtype)
    arrays = inputs(np.random.default_rng(0), dtype)

    def every(*arrays):
        return [
            lax.reduce_window(x, first(operation, dtype), operation, *c[1:])
            for operation in LOWEST
            for x, c in zip(arrays, SETTINGS, strict=True)
        ]

    agree(every, *arrays, rtol={"float16": 1e-2, "bfloat16": 6e-2}.get(dtype.name))


def test_not_a_number_wins():
    x = np.array([1, np.nan, 2, 3, -np.inf, np.inf], np.float32)
    agree(lambda x: [lax.reduce_window(x, first(f, x.dtype), f, (2,), (1,), "SAME") for f in (lax.max, lax.min)], x)


def test_any_operation():
    rng = np.random.default_rng(1)
    x, y = inputs(rng, np.float32, SETTINGS[3:5])
    flags = rng.random((6, 5)) < 0.5

    def largest(a, b):
        take = a[0] >= b[0]
        return jnp.where(take, a[0], b[0]), jnp.where(take, a[1], b[1])

    def every(x, y, flags):
        places = lax.broadcasted_iota(jnp.int32, x.shape, 1)
        return [
            lax.reduce_window((x, places), (-jnp.inf, -1), largest, *SETTINGS[3][1:]),
            lax.reduce_window(y, 0.5, lambda a, b: a + b, *SETTINGS[4][1:]),
            lax.reduce_window(flags, False, lax.bitwise_or, (2, 3), (1, 2), "SAME"),
            lax.reduce_window(flags, True, lax.bitwise_and, (2, 3), (1, 2), "VALID"),
        ]

    agree(every, x, y, flags)


@pytest.mark.parametrize("ties", [False, True])
def test_gradients(ties):
    rng = np.random.default_rng(2)
    settings = [SETTINGS[0], SETTINGS[1], SETTINGS[5], SETTINGS[8]]
    arrays = inputs(rng, np.float32, settings)
    if ties:
        arrays = [np.round(a) for a in arrays]

    def every(*arrays):
        found = []
        for x, case in zip(arrays, settings, strict=True):
            for operation in (lax.add, lax.max, lax.min):

                def f(x, operation=operation, case=case):
                    return lax.reduce_window(x, first(operation, x.dtype), operation, *case[1:])

                y, pull = jax.vjp(f, x)
                found.append(pull(jnp.cos(y)))
                found.append(jax.jvp(f, (x,), (jnp.sin(x),))[1])
        return found

    agree(every, *arrays)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradient_of_a_maximum_in_half_types(dtype):
    (x,) = inputs(np.random.default_rng(3), jnp.dtype(dtype), SETTINGS[1:2])

    def gradient(x):
        y, pull = jax.vjp(lambda x: lax.reduce_window(x, first(lax.max, x.dtype), lax.max, *SETTINGS[1][1:]), x)
        return pull(jnp.ones_like(y))

    agree(gradient, x)
