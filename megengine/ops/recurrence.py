"""Recurrences over time as loops, forwards and backwards, for XLA."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from .loops import scan
from .sizes import reshaped

ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu, "identity": lambda x: x}


def lstm_gates(sums):
    """The gates i, f, g and o of their sums."""
    i, f, g, o = jnp.split(sums, 4, axis=-1)
    return jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)


def lstm_update(gates, c):
    """The next states h and c."""
    i, f, g, o = gates
    c = f * c + i * g
    return o * jnp.tanh(c), c


def _before(first, states, reverse):
    """The state that each step starts from."""
    if not states.shape[0]:
        return states
    return jnp.concatenate([states[1:], first[None]] if reverse else [first[None], states[:-1]])


# The loops have gradients of their own: JAX's would add up the weight's gradient step by step, these take one product at the end.
UNROLL = 4  # time steps in one turn of a loop: on the CPU a third faster than one, and than sixteen


def _sums_gradients(d_sums, x, weight_ih, before):
    """Gradients of x, both weights and the bias from those of ``x @ weight_ih.T + shift + before @ weight_hh.T``."""
    # One transposed copy, which XLA would otherwise make within each product, in smaller pieces.
    across = lax.optimization_barrier(reshaped(d_sums, -1, d_sums.shape[-1]).T)
    d_weight_ih, d_weight_hh = (across @ reshaped(a, -1, a.shape[-1]) for a in (x, before))
    return d_sums @ weight_ih, d_weight_ih, d_sums.sum((0, 1)), d_weight_hh


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def rnn_loop(activation, reverse, x, weight_ih, shift, h, weight):
    """All states of a plain recurrent layer."""
    return _rnn_forward(activation, reverse, x, weight_ih, shift, h, weight)[0]


def _rnn_forward(activation, reverse, x, weight_ih, shift, h, weight):
    def step(h, now):
        h = ACTIVATIONS[activation](now + shift + h @ weight.T)
        return h, h

    hs = scan(step, h, x @ weight_ih.T, reverse=reverse, unroll=UNROLL)[1]
    return hs, (hs, x, weight_ih, h, weight)


_SLOPES = {"tanh": lambda y: 1 - y * y, "relu": lambda y: (y > 0).astype(y.dtype), "identity": jnp.ones_like}


def _rnn_backward(activation, reverse, saved, d_hs):
    hs, x, weight_ih, h, weight = saved

    def step(d_later, now):
        d_h, slope = now
        d_sums = (d_h + d_later) * slope
        return d_sums @ weight, d_sums

    slopes = _SLOPES[activation](hs)
    d_h, d_sums = scan(step, jnp.zeros_like(h), (d_hs, slopes), reverse=not reverse, unroll=UNROLL)
    d_x, d_weight_ih, d_shift, d_weight = _sums_gradients(d_sums, x, weight_ih, _before(h, hs, reverse))
    return d_x, d_weight_ih, d_shift, d_h, d_weight


rnn_loop.defvjp(_rnn_forward, _rnn_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def lstm_loop(reverse, x, weight_ih, shift, h, c, weight):
    """All states h of an LSTM, and its last c."""
    return lstm_forward(reverse, x, weight_ih, shift, h, c, weight)[0]


def lstm_forward(reverse, x, weight_ih, shift, h, c, weight):
    """The same, and what :func:`lstm_backward` needs."""

    def step(state, now):
        h, c = state
        gates = lstm_gates(now + shift + h @ weight.T)
        h, c = lstm_update(gates, c)
        return (h, c), (h, c, jnp.concatenate(gates, -1))

    (_, last_c), (hs, cs, gates) = scan(step, (h, c), x @ weight_ih.T, reverse=reverse, unroll=UNROLL)
    return (hs, last_c), (gates, hs, cs, x, weight_ih, h, c, weight)


def lstm_backward(reverse, saved, cotangents):
    """The gradients of the operands of :func:`lstm_loop` behind the first."""
    gates, hs, cs, x, weight_ih, h, c, weight = saved
    d_hs, d_last_c = cotangents

    def step(later, now):
        d_h, d_c = later
        d_h_now, gates, c, c_before = now
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        squashed = jnp.tanh(c)
        d_h = d_h + d_h_now
        d_c = d_c + d_h * o * (1 - squashed * squashed)
        parts = [
            d_c * g * i * (1 - i),
            d_c * c_before * f * (1 - f),
            d_c * i * (1 - g * g),
            d_h * squashed * o * (1 - o),
        ]
        d_sums = jnp.concatenate(parts, -1)
        return (d_sums @ weight, d_c * f), d_sums

    steps = d_hs, gates, cs, _before(c, cs, reverse)
    (d_h, d_c), d_sums = scan(step, (jnp.zeros_like(h), d_last_c), steps, reverse=not reverse, unroll=UNROLL)
    d_x, d_weight_ih, d_shift, d_weight = _sums_gradients(d_sums, x, weight_ih, _before(h, hs, reverse))
    return d_x, d_weight_ih, d_shift, d_h, d_c, d_weight


lstm_loop.defvjp(lstm_forward, lstm_backward)
