"""Reductions, argmax and cumulative operations against XLA's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from .ulps import FLOATS, INTS, many, same, special

AXES = [(), (0,), (2,), (0, 2), (0, 1, 2)]


def values(dtype, shape=(3, 4, 5)):
    rng = np.random.default_rng(0)
    if dtype in INTS:
        return np.resize(many(dtype), shape)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.uniform(0.5, 1.5, shape).astype(dtype)


def over(names, axes=AXES):
    return lambda x: {f"{n} {a}": getattr(lax, f"reduce_{n}")(x, a) for n in names for a in axes}


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint16", "uint32"])
def test_reductions_of_ints(dtype):
    same(over(["sum", "prod", "max", "min", "and", "or", "xor"]), values(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_reductions_of_floats(dtype):
    same(over(["sum", "prod", "max", "min"]), values(dtype), ulps=16 if dtype == "float32" else 4)


def test_reductions_of_the_others():
    same(over(["and", "or", "xor", "max", "min"]), values("bool"))
    z = (values("float32") + 1j * values("float32", (5, 4, 3)).T).astype(np.complex64)
    same(over(["sum", "prod"]), z, ulps=64)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "uint32", "bool"])
def test_reductions_of_nothing(dtype):
    names = ["max", "min", "or", "and"] if dtype == "bool" else ["max", "min", "sum", "prod"]
    same(over(names, [(0,), (1,), (0, 1)]), np.zeros((0, 3), dtype))
    same(over(names, [()]), np.ones((), dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_extremes_of_extraordinary_numbers(dtype):
    """NaN wins everywhere; the first of equals is found."""
    x = special(dtype)
    grid = np.stack([np.concatenate([np.roll(x, k)[:5], x[:2]]) for k in range(len(x))])
    same(over(["max", "min", "sum"], [(0,), (1,)]), grid, ulps=16)
    same(lambda x: [f(x, k, t) for f in (lax.argmax, lax.argmin) for k in (0, 1) for t in ("int32", "uint8")], grid)


@pytest.mark.parametrize("dtype", [*INTS, "bool"])
def test_places_of_extremes(dtype):
    x = np.concatenate([values(dtype)] * 2, 1)
    same(lambda x: [f(x, k, "int32") for f in (lax.argmax, lax.argmin) for k in range(3)], x)
    same(lambda x: lax.argmax(x, 0, "int32"), x[0, :, 0])


@pytest.mark.parametrize("dtype", [*FLOATS, "int8", "uint32"])
def test_cumulative_operations(dtype):
    names = ["cumsum", "cumprod", "cummax", "cummin"] + ["cumlogsumexp"] * (dtype not in INTS)
    every = [(n, axis, back) for n in names for axis in (0, 2) for back in (False, True)]
    same(lambda x: {str(e): getattr(lax, e[0])(x, *e[1:]) for e in every}, values(dtype), ulps=8)
    same(lambda x: [getattr(lax, n)(x) for n in names], np.zeros((0, 2), dtype))


def test_cumulative_operations_of_extraordinary_numbers():
    x = np.array([1, -np.inf, -np.inf, 2, np.nan, 3, np.inf], np.float32)
    same(lambda x: [f(x, 0, r) for f in (lax.cummax, lax.cummin, lax.cumlogsumexp) for r in (False, True)], x)
    same(lambda x: lax.cumlogsumexp(x[1:3]), x)


def test_reductions_by_any_function():
    x, i = values("float32"), values("int32")

    def larger(a, b):
        first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] < b[1]))
        return jnp.where(first, a[0], b[0]), jnp.where(first, a[1], b[1])

    def f(x, i):
        together = lax.reduce((x, i), (jnp.float32(-jnp.inf), jnp.int32(0)), larger, (1,))
        mixed = lax.reduce(x, jnp.float32(1), lambda a, b: a + b - a * b, (0, 2))
        return together, mixed, lax.reduce(i, 3, lax.bitwise_xor, (0,))

    same(f, x, i, ulps=32)
    same(lambda x: [lax.reduce(x, jnp.float32(1), lambda a, b: a + b - a * b, (k,)) for k in (0, 1)], x[:0, :, 0])


def test_sums_of_many_elements_are_exact_to_rounding():
    """Along every axis, and in bfloat16 without losing what is small beside the sum."""
    x = np.random.default_rng(0).uniform(0, 1, (300, 4, 500)).astype(np.float32)
    for axes in AXES[1:]:
        (found,) = jax_sum(x, axes)
        np.testing.assert_allclose(found, x.sum(axes, dtype=np.float64), 1e-5)
        (found,) = jax_sum(x.astype(jnp.bfloat16), axes)
        np.testing.assert_allclose(found.astype(np.float64), x.astype(jnp.bfloat16).astype(np.float64).sum(axes), 4e-3)


def jax_sum(x, axes):
    from megengine.graph.host.interpreter import interpret

    return interpret(jax.make_jaxpr(lambda x: lax.reduce_sum(x, axes))(x))(x)
