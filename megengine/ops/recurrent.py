"""Recurrent layers: each direction is one loop over time, forwards and backwards."""

from __future__ import annotations

import jax.numpy as jnp

from . import promote
from .lstm import lstm
from .op import op
from .recurrence import ACTIVATIONS, lstm_gates, lstm_update, rnn_loop


def _project(x, weight, *biases):
    return sum(biases, start=x @ weight.T)


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
    return ACTIVATIONS[activation](_project(x, weight_ih, bias_ih) + _project(h, weight_hh, bias_hh))


@op(promote=promote.float_only, check=_check_cell)
def lstm_cell(x, weight_ih, bias_ih, h, weight_hh, bias_hh, c):
    return lstm_update(lstm_gates(_project(x, weight_ih, bias_ih) + _project(h, weight_hh, bias_hh)), c)


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
        hs = rnn_loop(activation, d == 1, x, weight_ih, shift, h[d], weight_hh)
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
        hs, after = lstm(d == 1, x, weight_ih, shift, h[d], c[d], weight_hh)
        outputs.append(hs)
        last_h.append(_last(h[d], hs, d == 1))
        last_c.append(after)
    return jnp.concatenate(outputs, -1), jnp.stack(last_h), jnp.stack(last_c)


def _last(first, states, reverse):
    """The state after the last step."""
    return states[0 if reverse else -1] if states.shape[0] else first
