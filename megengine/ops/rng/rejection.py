"""Gamma and Poisson variates by rejection, for whole arrays at a time, from a XORWOW stream.

A round makes a proposal for every element and keeps it where none was accepted yet; rounds go on until each element has one.
Nine proposals in ten or more are accepted, so a million elements take about six rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..loops import cond, while_loop
from . import xorwow

_SMALL_MEAN = 10


def gamma_variate(state: jax.Array, alpha: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gamma variates of scale 1 (Marsaglia and Tsang, 2000, A Simple Method for Generating Gamma Variables).

    A variate is given as a factor and a logarithm, ``factor * exp(logarithm)``: those of a small ``alpha`` are below what
    float32 holds while their ratios are not, and those of a large one differ in the last digits of their logarithms.

    Args:
        state: the stream's state.
        alpha: flat float32 array of shape parameters; where one is not positive and finite, the result means nothing.

    Returns:
        The state after the draw, the factors and the logarithms, float32 of alpha's shape.
    """
    alpha = jnp.where((alpha > 0) & jnp.isfinite(alpha), alpha, 1)
    d = jnp.where(alpha < 1, alpha + 1, alpha) - 1 / 3
    c = lax.rsqrt(9 * d)
    n = alpha.size

    def propose(state: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        state, x = xorwow.normal(state, n)
        state, u = xorwow.uniform(state, n)
        w = c * x
        log_v = 3 * jnp.log1p(jnp.maximum(w, -1))
        # 1 - v + log v, where v = (1 + w)**3, written so that nothing large cancels.
        return state, log_v, (w > -1) & (jnp.log(u) < x * x / 2 + d * (log_v - w * (3 + w * (3 + w))))

    state, log_v = _until_accepted(state, n, propose)
    # A parameter below 1 takes the variate of the next one, times a power of a uniform number.
    state, u = xorwow.uniform(state, n)
    return state, d, log_v + jnp.where(alpha < 1, jnp.log(u) / alpha, 0)


def poisson_variate(state: jax.Array, mean: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Poisson variates: small means by inversion, others by transformed rejection.

    The rejection is algorithm PTRS of Hoermann (1993), The Transformed Rejection Method for Generating Poisson Random Variables.

    Args:
        state: the stream's state.
        mean: flat float32 array; where it is not positive and finite, the result means nothing.

    Returns:
        The state after the draw, and float32 of mean's shape.
    """
    mean = jnp.where((mean > 0) & jnp.isfinite(mean), mean, 1)
    small = mean < _SMALL_MEAN
    state, few = _by_inversion(state, jnp.where(small, mean, 1))
    state, many = cond(
        small.all(), lambda state: (state, few), lambda state: _by_rejection(state, mean, small), state
    )
    return state, jnp.where(small, few, many)


def _by_inversion(state: jax.Array, mean: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The first count whose cumulative probability reaches a uniform number."""
    state, u = xorwow.uniform(state, mean.size)

    def searching(below: jax.Array, count: jax.Array, term: jax.Array) -> jax.Array:
        # The sum of the terms may end just under 1, so that terms too small to change it end the search too.
        return (u > below) & ((count < mean) | (term > 1e-9))

    def more(carry: Any) -> Any:
        step, below, count, term = carry
        go = searching(below, count, term)
        term = jnp.where(go, term * mean / step, term)
        return step + 1, jnp.where(go, below + term, below), jnp.where(go, step, count), term

    first = jnp.exp(-mean)
    start = (jnp.float32(1), first, jnp.zeros_like(mean), first)
    return state, while_loop(lambda carry: searching(*carry[1:]).any(), more, start)[2]


def _by_rejection(state: jax.Array, mean: jax.Array, skip: jax.Array) -> tuple[jax.Array, jax.Array]:
    mean = jnp.maximum(mean, _SMALL_MEAN)
    b = 0.931 + 2.53 * jnp.sqrt(mean)
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = jnp.log(1.1239 + 1.1328 / (b - 3.4))
    quick = 0.9277 - 3.6224 / (b - 2)
    n = mean.size

    def propose(state: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        state, u = xorwow.uniform(state, n)
        state, v = xorwow.uniform(state, n)
        u = u - 0.5
        us = jnp.maximum(0.5 - jnp.abs(u), 1e-9)
        k = jnp.floor((2 * a / us + b) * u + mean + 0.43)
        inside = (k >= 0) & ((us >= 0.013) | (v <= us))
        exact = jnp.log(v) + log_inverse_alpha - jnp.log(a / (us * us) + b) <= _log_mass(jnp.maximum(k, 0), mean)
        return state, k, skip | ((us >= 0.07) & (v <= quick)) | (inside & exact)

    return _until_accepted(state, n, propose)


def _log_mass(k: jax.Array, mean: jax.Array) -> jax.Array:
    """Logarithm of the Poisson probability of a count, after Stirling: nothing large cancels however large the mean."""
    x = (k - mean) / mean
    series = x * x * (1 / 2 - x * (1 / 6 - x * (1 / 12 - x * (1 / 20 - x * (1 / 30 - x / 42)))))
    near = jnp.abs(x) < 0.1
    safe = jnp.where(near, 1, jnp.maximum(k, 1) / mean)
    deviance = mean * jnp.where(near, series, safe * jnp.log(safe) - safe + 1)
    many = jnp.maximum(k, 1)
    stirling = (log(2 * pi) + jnp.log(many)) / 2 + 1 / (12 * many) - 1 / (360 * many**3)
    return jnp.where(k > 0, -deviance - stirling, -mean)


def _until_accepted(
    state: jax.Array, n: int, propose: Callable[[jax.Array], tuple[jax.Array, jax.Array, jax.Array]]
) -> tuple[jax.Array, jax.Array]:
    def another(carry: Any) -> Any:
        state, kept, done = carry
        state, proposed, accepted = propose(state)
        return state, jnp.where(done, kept, proposed), done | accepted

    start = (state, jnp.zeros((n,), jnp.float32), jnp.zeros((n,), bool))
    state, kept, _ = while_loop(lambda carry: ~carry[2].all(), another, start)
    return state, kept
