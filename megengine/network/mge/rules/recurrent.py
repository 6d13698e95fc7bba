"""Recurrent cells, and layers of them over time."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ....graph.apply import apply
from ....ops import recurrent as ops
from ..building import ABSENT, Builder, required, rule, tensor
from ..container import Operator
from ..schema import Param


@rule("RNNCellForward")
def cell(builder: Builder, op: Operator, *operands: Any) -> Any:
    """One step."""
    activation = required(op, "the activation", op.param("RNNCell").nonlineMode, ["TANH", "RELU"]).lower()
    return apply(ops.rnn_cell, *map(tensor, operands), activation=activation)


@rule("LSTMCellForward")
def lstm_cell(builder: Builder, op: Operator, *operands: Any) -> Any:
    """One step: the state, the cell state, and the gates, which only gradients read."""
    state, memory = apply(ops.lstm_cell, *map(tensor, operands))[:2]
    return state, memory, ABSENT


@rule("RNNForward")
def layers(builder: Builder, op: Operator, x: Any, state: Any, weights: Any) -> Any:
    """All steps of all layers."""
    how = op.param("RNN")
    activation = required(op, "the activation", how.nonlineMode, ["TANH", "RELU"]).lower()
    y, (last,) = _layers(op, how, 1, ops.rnn_layer, x, [state], weights, activation=activation)
    return y, last, ABSENT


@rule("LSTMForward")
def lstm_layers(builder: Builder, op: Operator, x: Any, state: Any, memory: Any, weights: Any) -> Any:
    """All steps of all layers."""
    how = op.param("LSTM")
    required(op, "proj_size", how.proj_size, [0])
    y, last = _layers(op, how, 4, ops.lstm_layer, x, [state, memory], weights)
    return y, *last, ABSENT


def _layers(
    op: Operator, how: Param, gates: int, layer: Any, x: Any, states: list[Any], weights: Any, **given: Any
) -> tuple[Any, list[Any]]:
    """The outputs of the last layer, and the last states of all."""
    if how.dropout:
        required(op, "fwd_mode", how.fwd_mode, ["INFERENCE"])
    directions, hidden = 1 + how.bidirectional, how.hidden_size
    y, weights, held = tensor(x), tensor(weights), [tensor(s) for s in states]
    start, after = 0, []
    for k in range(how.num_layers):
        inputs = y.shape[-1]
        own = [s[k * directions : (k + 1) * directions] for s in held]
        y, *last = apply(layer, y, weights, *own, start=start, bias=how.bias, directions=directions, **given)
        after.append(last)
        start += directions * gates * hidden * (inputs + hidden + 2 * how.bias)
    return y, [F.concat(list(states)) if len(states) > 1 else states[0] for states in zip(*after, strict=True)]
