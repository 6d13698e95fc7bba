"""Recurrent layers: each direction is one loop over time, forwards and backwards."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from . import promote
from .op import op
from .sizes import reshaped

_ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu, "identity": lambda x: x}


def _project(x, weight, *biases):
    return sum(biases, start=x @ weight.T)


def _lstm_gates(sums):
    i, f, g, o = jnp.split(sums, 4, axis=-1)
    return jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)


def _lstm_update(gates, c):
    i, f, g, o = gates
    c = f * c + i * g
    return o * jnp.tanh(c), c


def _check_cell(x, weight_ih, bias_ih, h, weight_hh, bias_hh, *c, **attrs):
    hidden, size = weight_hh.shape[1], weight_ih.shape[1]
    if x.ndim != 2 or x.shape[1] != size:
        raise RuntimeError(f"recurrent cell: the input has shape {x.shape} instead of (batch, {size})")
    for state in (h, *c):
        if state.shape != (x.shape[0], hidden):
            raise RuntimeError(
                f"recurrent cell: a state has shape {state.shape} instead of (batch, hidden) = {(x.shape[0], hidden)}"
            )


@op(promote=promote.float_only, check=_check_cell)
def rnn_cell(x, weight_ih, bias_ih, h, weight_hh, bias_hh, *, activation):
    return _ACTIVATIONS[activation](_project(x, weight_ih, bias_ih) + _project(h, weight_hh, bias_hh))


@op(promote=promote.float_only, check=_check_cell)
def lstm_cell(x, weight_ih, bias_ih, h, weight_hh, bias_hh, c):
    return _lstm_update(_lstm_gates(_project(x, weight_ih, bias_ih) + _project(h, weight_hh, bias_hh)), c)


def _weights(flat, start, gates, inputs, hidden, bias):
    """A cell's input and state weights and the sum of its two biases, which stand one after the other from ``start`` on."""
    ends = [start + gates * inputs, start + gates * (inputs + hidden)]
    weight_ih = flat[start : ends[0]].reshape(gates, inputs)
    weight_hh = flat[ends[0] : ends[1]].reshape(gates, hidden)
    shift = flat[ends[1] : ends[1] + 2 * gates].reshape(2, gates).sum(0) if bias else jnp.zeros(gates, flat.dtype)
    return weight_ih, weight_hh, shift


def _check_layer(x, flat, *states, start, bias, directions, **attrs):
    hidden = states[0].shape[2] if states[0].ndim == 3 else 0
    expected = (directions, x.shape[1], hidden)
    for state in states:
        if state.shape != expected:
            raise RuntimeError(
                f"recurrent layer: a state has shape {state.shape} instead of (directions, batch, hidden) = {expected}"
            )


@op(promote=promote.float_only, check=_check_layer)
def rnn_layer(x, flat, h, *, start, bias, directions, activation):
    """All time steps ``(T, N, inputs)`` of a layer: the outputs ``(T, N, directions * hidden)`` and the last states."""
    hidden, inputs = h.shape[2], x.shape[2]
    outputs, last = [], []
    for d in range(directions):
        cell = hidden * (inputs + hidden + 2 * bias)
        weight_ih, weight_hh, shift = _weights(flat.reshape(-1), start + d * cell, hidden, inputs, hidden, bias)
        hs = _rnn_loop(activation, d == 1, x, weight_ih, shift, h[d], weight_hh)
        outputs.append(hs)
        last.append(_last(h[d], hs, d == 1))
    return jnp.concatenate(outputs, -1), jnp.stack(last)


@op(promote=promote.float_only, check=_check_layer)
def lstm_layer(x, flat, h, c, *, start, bias, directions):
    """As :data:`rnn_layer`, with the last cell states too."""
    hidden, inputs = h.shape[2], x.shape[2]
    outputs, last_h, last_c = [], [], []
    for d in range(directions):
        cell = 4 * hidden * (inputs + hidden + 2 * bias)
        weight_ih, weight_hh, shift = _weights(flat.reshape(-1), start + d * cell, 4 * hidden, inputs, hidden, bias)
        hs, after = _lstm_loop(d == 1, x, weight_ih, shift, h[d], c[d], weight_hh)
        outputs.append(hs)
        last_h.append(_last(h[d], hs, d == 1))
        last_c.append(after)
    return jnp.concatenate(outputs, -1), jnp.stack(last_h), jnp.stack(last_c)


def _last(first, states, reverse):
    """The state after the last step."""
    return states[0 if reverse else -1] if states.shape[0] else first


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
def _rnn_loop(activation, reverse, x, weight_ih, shift, h, weight):
    return _rnn_forward(activation, reverse, x, weight_ih, shift, h, weight)[0]


def _rnn_forward(activation, reverse, x, weight_ih, shift, h, weight):
    def step(h, now):
        h = _ACTIVATIONS[activation](now + shift + h @ weight.T)
        return h, h

    hs = lax.scan(step, h, x @ weight_ih.T, reverse=reverse, unroll=UNROLL)[1]
    return hs, (hs, x, weight_ih, h, weight)


_SLOPES = {"tanh": lambda y: 1 - y * y, "relu": lambda y: (y > 0).astype(y.dtype), "identity": jnp.ones_like}


def _rnn_backward(activation, reverse, saved, d_hs):
    hs, x, weight_ih, h, weight = saved

    def step(d_later, now):
        d_h, slope = now
        d_sums = (d_h + d_later) * slope
        return d_sums @ weight, d_sums

    slopes = _SLOPES[activation](hs)
    d_h, d_sums = lax.scan(step, jnp.zeros_like(h), (d_hs, slopes), reverse=not reverse, unroll=UNROLL)
    d_x, d_weight_ih, d_shift, d_weight = _sums_gradients(d_sums, x, weight_ih, _before(h, hs, reverse))
    return d_x, d_weight_ih, d_shift, d_h, d_weight


_rnn_loop.defvjp(_rnn_forward, _rnn_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _lstm_loop(reverse, x, weight_ih, shift, h, c, weight):
    return _lstm_forward(reverse, x, weight_ih, shift, h, c, weight)[0]


def _lstm_forward(reverse, x, weight_ih, shift, h, c, weight):
    def step(state, now):
        h, c = state
        gates = _lstm_gates(now + shift + h @ weight.T)
        h, c = _lstm_update(gates, c)
        return (h, c), (h, c, jnp.concatenate(gates, -1))

    (_, last_c), (hs, cs, gates) = lax.scan(step, (h, c), x @ weight_ih.T, reverse=reverse, unroll=UNROLL)
    return (hs, last_c), (gates, hs, cs, x, weight_ih, h, c, weight)


def _lstm_backward(reverse, saved, cotangents):
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
    (d_h, d_c), d_sums = lax.scan(step, (jnp.zeros_like(h), d_last_c), steps, reverse=not reverse, unroll=UNROLL)
    d_x, d_weight_ih, d_shift, d_weight = _sums_gradients(d_sums, x, weight_ih, _before(h, hs, reverse))
    return d_x, d_weight_ih, d_shift, d_h, d_c, d_weight


_lstm_loop.defvjp(_lstm_forward, _lstm_backward)
