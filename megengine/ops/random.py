"""Random numbers inside the graph: the stream's state is an operand and a result."""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp

from .op import op
from .rng import rejection, xorwow


@op(differentiable=False)
def uniform(state, low, high, *, shape):
    state, flat = xorwow.uniform(state, prod(shape), low, high)
    return state, flat.reshape(shape)


@op(differentiable=(False, True, True))
def normal(state, mean, std, *, shape):
    state, flat = xorwow.normal(state, prod(shape))
    return state, mean + std * flat.reshape(shape)


def _flat(parameter, shape):
    return jnp.broadcast_to(parameter, shape).astype(jnp.float32).reshape(-1)


def _where_valid(parameter, drawn):
    """What was drawn, 0 for a parameter that is not positive, and the parameter itself where it is infinite or no number."""
    finite = jnp.where(parameter > 0, drawn, 0)
    return jnp.where(jnp.isfinite(parameter), finite, jnp.where(parameter < 0, 0, parameter))


@op(differentiable=False)
def gamma(state, alpha, scale, *, shape, dtype):
    alpha, scale = _flat(alpha, shape), _flat(scale, shape)
    state, factor, log_rest = rejection.gamma_variate(state, alpha)
    return state, (_where_valid(alpha, factor * jnp.exp(log_rest)) * scale).reshape(shape).astype(dtype)


@op(differentiable=False)
def beta(state, alpha, other, *, shape, dtype):
    alpha, other = _flat(alpha, shape), _flat(other, shape)
    state, x_factor, log_x = rejection.gamma_variate(state, alpha)
    state, y_factor, log_y = rejection.gamma_variate(state, other)
    drawn = jax.nn.sigmoid(jnp.log(x_factor / y_factor) + (log_x - log_y))
    valid = (alpha > 0) & (other > 0) & jnp.isfinite(alpha + other)
    return state, jnp.where(valid, drawn, jnp.nan).reshape(shape).astype(dtype)


@op(differentiable=False)
def poisson(state, mean, *, shape, dtype):
    mean = _flat(mean, shape)
    state, drawn = rejection.poisson_variate(state, mean)
    return state, _where_valid(mean, drawn).reshape(shape).astype(dtype)


@op(differentiable=(True, False, False))
def drop_where(x, uniform, drop_prob):
    return jnp.where(uniform >= drop_prob, x / (1 - drop_prob), 0).astype(x.dtype)


@op(differentiable=(False, True, False))
def dropout(state, x, drop_prob):
    state, flat = xorwow.uniform(state, x.size)
    keep = flat.reshape(x.shape) >= drop_prob
    return state, jnp.where(keep, x / (1 - drop_prob), 0).astype(x.dtype)
