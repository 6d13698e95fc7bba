"""Random draws by NumPy: the state and uniform numbers of the compiled ones bit for bit, normal ones to rounding."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine.graph.host.interpreter import interpret
from megengine.ops import random as ops
from megengine.ops.rng import xorwow
from tests.compiling import AS_USERS

from .agreement import agree

SIZES = [0, 1, 2, 7, 4096, 4097, 8192, 8193, 70001]


@pytest.fixture(scope="module")
def state():
    return xorwow.seed_state(20200325)


def test_normal_numbers(state):
    def every(state):
        found = []
        for n in SIZES:
            state, values = xorwow.normal(state, n)
            found += [state, values]
        return found

    agree(every, state)


def test_uniform_numbers_to_the_bit(state):
    def every(state, low, high):
        found = []
        for n in SIZES:
            state, values = xorwow.uniform(state, n)
            found += [state, values]
            state, values = xorwow.uniform(state, n, low, high)
            found += [state, values]
        return found

    operands = state, np.float32(-0.17), np.float32(2.41)
    found = interpret(jax.make_jaxpr(every)(*operands))(*operands)
    for a, b in zip(found, jax.jit(every, compiler_options=AS_USERS)(*operands), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_several_streams_at_once(state):
    states = np.stack([state, xorwow.seed_state(1)])
    agree(jax.vmap(lambda state: xorwow.uniform(state, 5)), states)


def test_ops_and_their_gradients(state):
    x = np.random.default_rng(0).standard_normal((30, 70)).astype(np.float32)

    def every(state, x):
        lowered = ops.dropout.lower
        (after, y), pull = jax.vjp(lambda x: lowered(state, x, 0.3), x)
        (after, z), pull_normal = jax.vjp(lambda m, s: ops.normal.lower(after, m, s, shape=(5, 3)), 0.5, 2.0)
        zero = np.zeros(state.shape, jax.dtypes.float0)
        return after, y, z, pull((zero, jnp.cos(y))), pull_normal((zero, jnp.cos(z)))

    agree(every, state, x)


def test_draws_by_rejection(state):
    rng = np.random.default_rng(1)
    means = rng.uniform(0.1, 60, 500).astype(np.float32)

    def every(state, means):
        options = {"shape": means.shape, "dtype": np.dtype("float32")}
        state, gamma = ops.gamma.lower(state, means / 20, 2.0, **options)
        state, beta = ops.beta.lower(state, means, 3.0, **options)
        state, poisson = ops.poisson.lower(state, means, **options)
        return state, gamma, beta, poisson

    agree(every, state, means, rtol=2e-5)
