"""Random numbers inside the graph: the stream's state is an operand and a result."""

from __future__ import annotations

from math import prod

import jax.numpy as jnp

from .op import op
from .rng import xorwow


@op(differentiable=False)
def uniform(state, low, high, *, shape):
    state, flat = xorwow.uniform(state, prod(shape), low, high)
    return state, flat.reshape(shape)


@op(differentiable=(False, True, True))
def normal(state, mean, std, *, shape):
    state, flat = xorwow.normal(state, prod(shape))
    return state, mean + std * flat.reshape(shape)


@op(differentiable=(True, False, False))
def drop_where(x, uniform, drop_prob):
    return jnp.where(uniform >= drop_prob, x / (1 - drop_prob), 0).astype(x.dtype)


@op(differentiable=(False, True, False))
def dropout(state, x, drop_prob):
    state, flat = xorwow.uniform(state, x.size)
    keep = flat.reshape(x.shape) >= drop_prob
    return state, jnp.where(keep, x / (1 - drop_prob), 0).astype(x.dtype)
