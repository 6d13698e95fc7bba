"""Normalisation over the last dimensions and its gradients, by oneDNN and without it, against XLA's and against float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine.graph.host.interpreter import interpret
from megengine.ops import layer as primitives
from megengine.ops import nn
from megengine.ops.onednn import layer

from . import ways
from .agreement import agree

EPS = 1e-5


@pytest.fixture(params=ways.WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    ways.take(request.param, layer, monkeypatch)
    return str(request.param)


def with_gradients(f: Callable[..., jax.Array], *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The value and the gradients of the sum of its cubes."""
    y, pull = jax.vjp(f, *arrays)
    return y, *pull(3 * y * y)


def normalized(axes: tuple[int, ...]) -> Callable[..., jax.Array]:
    return lambda *arrays: nn.layer_norm.lower(*arrays, axes=axes, eps=EPS)


def drawn(rng: np.random.Generator, shape: tuple[int, ...], dims: int) -> list[np.ndarray]:
    sizes = shape[len(shape) - dims :]
    return [rng.standard_normal(shape, np.float32) * 3 + 1, *(rng.standard_normal(sizes, np.float32) for _ in "wb")]


SHAPES = [
    *(((7,), 1), ((1, 5), 1), ((3, 16), 1), ((5, 2, 40), 1)),
    *(((4, 6, 5, 9), 2), ((3, 4, 5), 3), ((360, 256), 1), ((3, 5000), 1)),
]


@pytest.mark.parametrize("shape, dims", SHAPES)
@pytest.mark.parametrize("affine", [True, False])
def test_values_and_gradients(shape: tuple[int, ...], dims: int, affine: bool, rng: np.random.Generator) -> None:
    axes = tuple(range(len(shape) - dims, len(shape)))
    arrays = drawn(rng, shape, dims)[: 3 if affine else 1]
    agree(lambda *a: with_gradients(normalized(axes), *a), *arrays, rtol=2e-5)


def test_gradients_of_gradients(rng: np.random.Generator) -> None:
    def twice(*arrays: jax.Array) -> tuple[jax.Array, ...]:
        def first(*arrays: jax.Array) -> jax.Array:
            grads = jax.grad(lambda *a: (normalized((1,))(*a) ** 3).sum(), (0, 1, 2))(*arrays)
            return sum((g**2).sum() for g in grads)  # type: ignore[return-value]

        return jax.grad(first, (0, 1, 2))(*arrays)

    agree(twice, *drawn(rng, (6, 24), 1), rtol=1e-4)


def test_as_exact_as_float32_allows(rng: np.random.Generator) -> None:
    x, weight, bias = drawn(rng, (64, 300), 1)
    ct = rng.standard_normal(x.shape, np.float32)

    def f(*arrays: jax.Array) -> tuple[jax.Array, ...]:
        y, pull = jax.vjp(normalized((1,)), *arrays)
        return y, *pull(ct)

    found = interpret(jax.make_jaxpr(f)(x, weight, bias))(x, weight, bias)
    wide, factor = x.astype(np.float64), weight.astype(np.float64)
    centred = wide - wide.mean(1, keepdims=True)
    deviation = np.sqrt((centred * centred).mean(1, keepdims=True) + EPS)
    normal, of_normal = centred / deviation, ct * factor
    dx = of_normal - of_normal.mean(1, keepdims=True) - normal * (of_normal * normal).mean(1, keepdims=True)
    wanted = normal * factor + bias, dx / deviation, (ct * normal).sum(0), ct.astype(np.float64).sum(0)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, 0, 1e-6 * np.abs(b).max())


@pytest.mark.parametrize("shape", [(0, 8), (3, 0, 20), (0, 0)])
def test_of_nothing(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    agree(lambda *a: with_gradients(normalized((len(shape) - 1,)), *a), *drawn(rng, shape, 1))


def test_parts_of_arrays(rng: np.random.Generator) -> None:
    x, weight, bias = drawn(rng, (50, 30, 40), 1)
    parts = weight[::-1], bias[::-1]
    agree(lambda *a: with_gradients(normalized((2,)), *a), x[::-2, 3:], *parts, rtol=2e-5)
    agree(lambda *a: with_gradients(normalized((2,)), *a), x.transpose(2, 0, 1)[:, :, :20], *(p[:20] for p in parts), rtol=2e-5)


def test_other_dimensions_than_the_last(rng: np.random.Generator) -> None:
    agree(lambda x: with_gradients(normalized((0, 2)), x), rng.standard_normal((8, 5, 12), np.float32), rtol=2e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e18, 3e38, -1e30])
@pytest.mark.parametrize("place", [0, 9, 19])
def test_rows_that_are_far_out(value: float, place: int, rng: np.random.Generator) -> None:
    x, weight, bias = drawn(rng, (4, 20), 1)
    x[2, place] = value
    agree(normalized((1,)), x, weight, bias)


def test_equal_elements(rng: np.random.Generator) -> None:
    x, weight, bias = drawn(rng, (4, 20), 1)
    agree(lambda *a: with_gradients(normalized((1,)), *a), np.full_like(x, 2), weight, bias, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_narrow_floats(dtype: Any, rng: np.random.Generator) -> None:
    arrays = [a.astype(dtype) for a in drawn(rng, (30, 50), 1)]
    agree(lambda *a: with_gradients(normalized((1,)), *a), *arrays, rtol=2e-2)


def test_groups(rng: np.random.Generator) -> None:
    x, weight, bias = drawn(rng, (4, 12, 7, 6), 1)[0], *rng.standard_normal((2, 12), np.float32)
    agree(lambda *a: with_gradients(lambda *a: nn.group_norm.lower(*a, groups=3, eps=EPS), *a), x, weight, bias, rtol=2e-5)


def test_over_batches(rng: np.random.Generator) -> None:
    x, weight, bias = drawn(rng, (3, 5, 8), 1)
    weight, bias = weight[None], bias[None]
    found = jax.vmap(lambda x: primitives.normalize(1, EPS, x, weight, bias))(x)
    np.testing.assert_allclose(found, normalized((2,))(x, weight[0], bias[0]), 1e-6, 1e-6)


def test_compiled_as_what_it_is_made_of(rng: np.random.Generator) -> None:
    def plainly(x: jax.Array, *affine: jax.Array) -> jax.Array:
        centred = x - x.mean(1, keepdims=True)
        y = centred * jax.lax.rsqrt((centred * centred).mean(1, keepdims=True) + EPS)
        weight, bias = (p.reshape(1, -1) for p in affine)
        return y * weight + bias

    arrays = drawn(rng, (4, 20), 1)
    composite, plain = (jax.jit(lambda *a, f=f: f(*a)).lower(*arrays).as_text() for f in (normalized((1,)), plainly))
    lines = [line for line in composite.splitlines() if "reshape" not in line]
    assert len(lines) == len([line for line in plain.splitlines() if "reshape" not in line]) and "call" not in composite
