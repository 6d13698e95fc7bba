"""Recurrent cells and layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Graph
from .rules import Call, rule

_ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "identity": "Affine"}


def _sums(g: Graph, inputs: list[str]) -> str:
    x, weight_ih, bias_ih, h, weight_hh, bias_hh = inputs
    turned = [g.op("Transpose", w, perm=[1, 0]) for w in (weight_ih, weight_hh)]
    products = [g.op("MatMul", a, w) for a, w in zip((x, h), turned, strict=True)]
    return g.op("Add", *(g.op("Add", p, b) for p, b in zip(products, (bias_ih, bias_hh), strict=True)))


@rule("rnn_cell")
def _rnn_cell(g: Graph, e: Call) -> str:
    kind = {"tanh": "Tanh", "relu": "Relu", "identity": "Identity"}[e["activation"]]
    return g.op(kind, _sums(g, e.inputs))


@rule("lstm_cell")
def _lstm_cell(g: Graph, e: Call) -> list[str]:
    size = int(e.shapes[3][1])
    parts = g.ops("Split", _sums(g, e.inputs[:6]), g.ints(*[size] * 4), count=4, axis=-1)
    i, f, o = (g.op("Sigmoid", parts[k]) for k in (0, 1, 3))
    c = g.op("Add", g.op("Mul", f, e.inputs[6]), g.op("Mul", i, g.op("Tanh", parts[2])))
    return [g.op("Mul", o, g.op("Tanh", c)), c]


@rule("rnn_layer")
def _rnn_layer(g: Graph, e: Call) -> list[str]:
    directions = e["directions"]
    weights = _weights(g, e, 1, None)
    y, h = g.ops(
        "RNN", e.x, *weights, "", e.inputs[2], count=2, hidden_size=int(e.shapes[2][2]), direction=_direction(directions),
        activations=[_ACTIVATIONS[e["activation"]]] * directions,
        activation_alpha=[1.0] * directions if e["activation"] == "identity" else None,
        activation_beta=[0.0] * directions if e["activation"] == "identity" else None,
    )  # fmt: skip
    return [_joined(g, y, e), h]


@rule("lstm_layer")
def _lstm_layer(g: Graph, e: Call) -> list[str]:
    weights = _weights(g, e, 4, [0, 3, 1, 2])  # input, output, forget, cell
    y, h, c = g.ops(
        "LSTM", e.x, *weights, "", e.inputs[2], e.inputs[3], count=3, hidden_size=int(e.shapes[2][2]),
        direction=_direction(e["directions"]),
    )  # fmt: skip
    return [_joined(g, y, e), h, c]


def _direction(directions: int) -> str:
    return "bidirectional" if directions == 2 else "forward"


def _joined(g: Graph, y: str, e: Call) -> str:
    """``(T, directions, N, hidden)`` as ``(T, N, directions * hidden)``."""
    return g.reshape(g.op("Transpose", y, perm=[0, 2, 1, 3]), e.out_shape)


def _weights(g: Graph, e: Call, gates: int, order: list[int] | None) -> list[str]:
    """The weights of inputs and of states and both biases out of the flat parameter, with the gates in ONNX's order."""
    inputs, hidden, bias = int(e.shape[2]), int(e.shapes[2][2]), e["bias"]
    cell = gates * hidden * (inputs + hidden + 2 * bias)
    flat = g.op("Reshape", e.inputs[1], g.ints(-1))

    def part(first: int, *shape: int) -> str:
        count = int(np.prod(shape))
        found = g.reshape(g.slice(flat, [first], [first + count], [0]), [gates, hidden, *shape[1:]])
        if order is not None:
            found = g.op("Gather", found, g.ints(*order), axis=0)
        return g.reshape(found, [1, *shape])

    made: list[list[str]] = []
    for d in range(e["directions"]):
        start, rows = e["start"] + d * cell, gates * hidden
        of_states = start + rows * inputs
        of_biases = of_states + rows * hidden
        biases: Any = (
            [part(of_biases, rows), part(of_biases + rows, rows)]
            if bias
            else [g.const(np.zeros((1, 2 * rows), e.dtype))]
        )
        both = g.op("Concat", *biases, axis=1) if bias else biases[0]
        made.append([part(start, rows, inputs), part(of_states, rows, hidden), both])
    return [p[0] if len(p) == 1 else g.op("Concat", *p, axis=0) for p in zip(*made, strict=True)]
