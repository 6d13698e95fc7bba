"""The Gaussian error linear unit and its derivatives, by oneDNN and without it, against XLA's."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfc

from megengine.graph.host.interpreter import interpret
from megengine.ops import gelu as primitives
from megengine.ops.onednn import gelu
from megengine.ops.onednn.library import library

from .agreement import agree


@pytest.fixture(params=["library", "numpy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "numpy":
        monkeypatch.setattr(gelu, "available", lambda: False)
    elif library() is None:
        pytest.skip("no oneDNN here")
    yield request.param


def with_gradients(x: jax.Array) -> tuple[jax.Array, ...]:
    """The value, the gradient of the sum of its squares, and the gradient of that one's."""

    def first(x: jax.Array) -> jax.Array:
        return jax.grad(lambda x: (primitives.gelu(x) ** 2).sum())(x)

    return primitives.gelu(x), first(x), jax.grad(lambda x: (first(x) ** 2).sum())(x)


@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (511,), (512,), (3, 683), (40, 8, 1024)])
def test_values_and_gradients(way: str, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    agree(with_gradients, np.asarray(3 * rng.standard_normal(shape), np.float32), rtol=4e-6)


def test_parts_of_arrays(way: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((64, 100), np.float32)
    agree(with_gradients, x.T, rtol=4e-6)
    agree(with_gradients, x[::-2, 3:90], rtol=4e-6)


def test_what_is_far_out(way: str) -> None:
    x = np.resize(np.float32([0, -0.0, 1e-30, -1e-30, 30, -30, 1e30, -1e30, np.inf, -np.inf, np.nan]), 1024)
    agree(lambda x: primitives.gelu(x), x)
    agree(lambda x: jax.vjp(primitives.gelu, x)[1](jnp.ones_like(x)), x[np.isfinite(x)], rtol=4e-6)


def test_as_exact_as_float32_allows(way: str) -> None:
    x = np.linspace(-12, 12, 1 << 16, dtype=np.float32)
    wide = x.astype(np.float64)
    distribution, density = erfc(-wide / 2**0.5) / 2, np.exp(-wide * wide / 2) / (2 * np.pi) ** 0.5
    value, slope = interpret(jax.make_jaxpr(lambda x: jax.jvp(primitives.gelu, (x,), (jnp.ones_like(x),)))(x))(x)
    np.testing.assert_allclose(value, wide * distribution, 3e-7, 4e-7)
    np.testing.assert_allclose(slope, distribution + wide * density, 3e-7, 4e-7)


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_narrow_floats(way: str, dtype: type, rng: np.random.Generator) -> None:
    agree(with_gradients, rng.standard_normal((30, 50)).astype(dtype), rtol=2e-2)


def test_over_batches(rng: np.random.Generator) -> None:
    x = jnp.asarray(rng.standard_normal((3, 5)), jnp.float32)
    plain = jax.vmap(lambda x: jax.nn.gelu(x, approximate=False))(x)
    np.testing.assert_allclose(jax.vmap(primitives.gelu)(x), plain, 1e-6)
