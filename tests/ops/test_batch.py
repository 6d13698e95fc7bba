"""Normalisation of batches: its gradient, and the gradient of that, against what JAX makes of the formula."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine.ops.batch import normalize


def plainly(x: Any, scale: Any, shift: Any, eps: float) -> Any:
    axes = (0, *range(2, x.ndim))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    by_channel = (1, -1, *[1] * (x.ndim - 2))
    y = (x - mean) / jnp.sqrt(var + eps) * scale.reshape(by_channel) + shift.reshape(by_channel)
    return y, mean.ravel(), var.ravel()


def normal(rng: np.random.Generator, *shape: int) -> jax.Array:
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)


def agree(found: Any, wanted: Any) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-4 * float(jnp.abs(b).max()))


@pytest.mark.parametrize("shape", [(6, 5), (4, 16, 12, 12), (8, 16, 40), (2, 9, 7, 8, 9)])
def test_results_and_gradients(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    def both(normalize: Any, x: Any, scale: Any, shift: Any, ct: Any) -> Any:
        found, pull = jax.vjp(partial(normalize, eps=1e-3), x, scale, shift)
        return found, pull((ct, found[1], found[2]))

    def keyed(x: Any, scale: Any, shift: Any, eps: float) -> Any:
        return normalize(x, scale, shift, eps)

    arrays = normal(rng, *shape) * 3 + 1, *(normal(rng, shape[1]) for _ in range(2)), normal(rng, *shape)
    agree(jax.jit(partial(both, keyed))(*arrays), jax.jit(partial(both, plainly))(*arrays))


def test_gradients_of_gradients(rng: np.random.Generator) -> None:
    x, scale, shift = normal(rng, 4, 16, 9, 9), normal(rng, 16), normal(rng, 16)

    def twice(normalize: Any, x: Any, scale: Any) -> Any:
        def loss(x: Any, scale: Any) -> Any:
            y, mean, var = normalize(x, scale, shift, 1e-3)
            return (y**3).sum() + (mean * var).sum()

        return jax.grad(lambda *a: (jax.grad(loss)(*a) ** 2).sum(), (0, 1))(x, scale)

    agree(jax.jit(partial(twice, normalize))(x, scale), jax.jit(partial(twice, plainly))(x, scale))
