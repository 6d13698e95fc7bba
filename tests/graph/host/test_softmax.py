"""Softmax over the last dimension and its gradients, by oneDNN and without it, against XLA's and against float64."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine.graph.host.interpreter import interpret
from megengine.ops import softmax as primitives
from megengine.ops.onednn import softmax

from . import ways
from .agreement import agree


@pytest.fixture(params=ways.WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    ways.take(request.param, softmax, monkeypatch)
    return str(request.param)


def of_rows(x: jax.Array) -> jax.Array:
    return primitives.softmax(x, (x.ndim - 1,))


def with_gradients(x: jax.Array) -> tuple[jax.Array, ...]:
    """The value, the gradient of the sum of its cubes, that of the gradient's squares, and what stands for gradients."""

    def first(x: jax.Array) -> jax.Array:
        return jax.grad(lambda x: (of_rows(x) ** 3).sum())(x)

    y = of_rows(x)
    again = jax.grad(lambda y: (primitives.softmax_gradient(y, jnp.cos(x), (x.ndim - 1,)) ** 2).sum())(y)
    return y, first(x), jax.grad(lambda x: (first(x) ** 2).sum())(x), again, primitives.softmax_gradient(y, x, (x.ndim - 1,))


@pytest.mark.parametrize("shape", [(7,), (1, 1), (0, 3), (5, 1), (3, 2, 17), (4, 3, 40, 45), (64, 300), (2, 10000)])
def test_values_and_gradients(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    agree(with_gradients, 3 * rng.standard_normal(shape, np.float32), rtol=1e-5)


def test_of_rows_of_no_elements() -> None:
    agree(of_rows, np.zeros((3, 0), np.float32))


def test_parts_of_arrays(rng: np.random.Generator) -> None:
    x = rng.standard_normal((20, 30, 40), np.float32)
    agree(with_gradients, x[::-2, 3:].transpose(2, 0, 1), rtol=1e-5)
    agree(with_gradients, x[..., ::3], rtol=1e-5)


@pytest.mark.parametrize("axis", [(0,), (0, 1), None])
def test_other_dimensions_than_the_last(axis: tuple[int, ...] | None, rng: np.random.Generator) -> None:
    agree(lambda x: primitives.softmax(x, axis), rng.standard_normal((8, 20), np.float32))


def test_as_exact_as_float32_allows(rng: np.random.Generator) -> None:
    x, ct = 3 * rng.standard_normal((50, 80), np.float32), rng.standard_normal((50, 80), np.float32)

    def f(x: jax.Array) -> tuple[jax.Array, ...]:
        y = of_rows(x)
        return y, primitives.softmax_gradient(y, ct, (1,))

    y, dx = interpret(jax.make_jaxpr(f)(x))(x)
    wide = np.exp(x.astype(np.float64))
    wide /= wide.sum(1, keepdims=True)
    np.testing.assert_allclose(y, wide, 2e-6)
    np.testing.assert_allclose(dx, wide * (ct - (wide * ct).sum(1, keepdims=True)), 1e-5, 1e-7)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 17, 40])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38, -1e9])
def test_rows_that_are_far_out(value: float, width: int, rng: np.random.Generator) -> None:
    """One element of each row; the last rows have no other elements, or several of them."""
    x = rng.standard_normal((width + 3, width), np.float32)
    x[:width][np.diag_indices(width)] = value
    x[width], x[width + 1, : width // 2] = value, value
    agree(of_rows, x)


def test_nan_and_infinity_in_one_row(rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 24), np.float32)
    x[1, 3], x[1, 20], x[2, 5], x[2, 6] = np.inf, np.nan, np.inf, -np.inf
    agree(of_rows, x)


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_narrow_floats(dtype: type, rng: np.random.Generator) -> None:
    agree(jax.grad(lambda x: (of_rows(x) ** 2).sum()), rng.standard_normal((30, 50)).astype(dtype), rtol=2e-2)


def test_over_batches(rng: np.random.Generator) -> None:
    x = jnp.asarray(rng.standard_normal((3, 4, 5)), jnp.float32)
    np.testing.assert_allclose(jax.vmap(of_rows, 1)(x), jnp.moveaxis(jax.nn.softmax(x), 1, 0), 1e-6)
