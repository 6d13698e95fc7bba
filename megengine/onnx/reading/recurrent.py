"""Recurrent layers: LSTM and RNN without further options as this package's, and all of them step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import functional as F
from ...graph.apply import apply
from ...ops.recurrent import lstm_layer
from ...tensor import Tensor
from .rules import Node, computes

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


def _activation(name: str, alpha: float | None, beta: float | None) -> Callable[[Tensor], Any]:
    a = alpha
    known: dict[str, Callable[[Tensor], Any]] = {
        "sigmoid": F.sigmoid,
        "tanh": F.tanh,
        "relu": F.relu,
        "affine": lambda x: x * (1.0 if a is None else a) + (beta or 0.0),
        "leakyrelu": lambda x: F.leaky_relu(x, 0.01 if a is None else a),
        "hardsigmoid": lambda x: F.clip(x * (0.2 if a is None else a) + (0.5 if beta is None else beta), 0.0, 1.0),
        "scaledtanh": lambda x: (1.0 if a is None else a) * F.tanh(x * (1.0 if beta is None else beta)),
        "softsign": lambda x: x / (1 + F.abs(x)),
        "softplus": lambda x: F.softplus(x),
    }
    return known[name.lower()]


@computes(*_GATES)
def _recurrent(e: Node) -> Any:
    x = e.tensor(0)
    by_batch = bool(e.get("layout", 0))
    x = F.transpose(x, (1, 0, 2)) if by_batch else x
    directions = e.inputs[1].shape[0]
    hidden, batch = e.get("hidden_size") or e.inputs[2].shape[2], x.shape[1]
    states = [_state(e, k, (directions, batch, hidden), by_batch) for k in ((5, 6) if e.kind == "LSTM" else (5,))]
    if _is_plain(e, directions):
        y, *last = _by_layer(e, x, states, directions, hidden)
    else:
        y, *last = _by_steps(e, x, states, directions, hidden)
    if by_batch:  # (T, directions, N, hidden) and (directions, N, hidden)
        y, last = F.transpose(y, (2, 0, 1, 3)), [F.transpose(s, (1, 0, 2)) for s in last]
    return [y, *last][: max(e.count, 1)]


def _state(e: Node, k: int, shape: tuple[int, ...], by_batch: bool) -> Tensor:
    if not e.has(k):
        return F.zeros(shape)
    return F.transpose(e.tensor(k), (1, 0, 2)) if by_batch else e.tensor(k)


def _is_plain(e: Node, directions: int) -> bool:
    if e.kind != "LSTM" or e.has(4) or e.has(7) or e.get("clip") is not None or e.get("input_forget", 0):
        return False
    names = e.get("activations") or _DEFAULTS["LSTM"] * directions
    return [n.lower() for n in names] == ["sigmoid", "tanh", "tanh"] * directions and e.get("direction") != "reverse"


def _by_layer(e: Node, x: Tensor, states: list[Tensor], directions: int, hidden: int) -> list[Tensor]:
    """As one layer, whose flat parameter has the gates input, forget, cell, output."""
    parts = []
    for d in range(directions):
        parts += [F.flatten(_reordered(e.tensor(k)[d], hidden)) for k in (1, 2)]
        if e.has(3):
            both = e.tensor(3)[d]
            rows = 4 * hidden
            parts += [_reordered(both[:rows], hidden), _reordered(both[rows:], hidden)]
    y, h, c = apply(lstm_layer, x, F.concat(parts), *states, start=0, bias=e.has(3), directions=directions)
    steps, batch = x.shape[:2]
    return [F.transpose(F.reshape(y, (steps, batch, directions, hidden)), (0, 2, 1, 3)), h, c]


def _reordered(rows: Tensor, hidden: int) -> Tensor:
    """ONNX has the gates input, output, forget, cell."""
    i, o, f, c = (rows[k * hidden : (k + 1) * hidden] for k in range(4))
    return F.concat([i, f, c, o])


def _by_steps(e: Node, x: Tensor, states: list[Tensor], directions: int, hidden: int) -> list[Any]:
    gates = _GATES[e.kind]
    lengths = e.host(4) if e.has(4) else None
    outputs, lasts = [], []
    for d in range(directions):
        reverse = d == 1 or e.get("direction") == "reverse"
        weight, recurrence = e.tensor(1)[d], e.tensor(2)[d]
        both = e.tensor(3)[d] if e.has(3) else F.zeros(2 * gates * hidden)
        bias = both[: gates * hidden], both[gates * hidden :]
        step = _steps(e, d, weight, recurrence, bias, hidden)
        state, ys = [s[d] for s in states], []
        for t in range(x.shape[0])[::-1] if reverse else range(x.shape[0]):
            new = step(x[t], *state)
            if lengths is not None:
                live = Tensor((t < lengths).reshape(-1, 1))
                new = [F.where(F.broadcast_to(live, n.shape), n, o) for n, o in zip(new, state, strict=True)]
                ys.append(F.where(F.broadcast_to(live, new[0].shape), new[0], F.zeros_like(new[0])))
            else:
                ys.append(new[0])
            state = list(new)
        outputs.append(F.stack(ys[::-1] if reverse else ys, axis=0))
        lasts.append(state)
    return [F.stack(outputs, axis=1), *(F.stack(list(s), axis=0) for s in zip(*lasts, strict=True))]


def _steps(e: Node, d: int, w: Tensor, r: Tensor, bias: tuple[Tensor, Tensor], hidden: int) -> Callable[..., list[Any]]:
    names = e.get("activations") or _DEFAULTS[e.kind]
    each = len(_DEFAULTS[e.kind])
    names = names[d * each : (d + 1) * each] or names[:each]
    alphas, betas = e.get("activation_alpha") or [], e.get("activation_beta") or []
    first = d * each if len(alphas) > each else 0
    functions = [
        _activation(n, *(values[first + k] if first + k < len(values) else None for values in (alphas, betas)))
        for k, n in enumerate(names)
    ]
    limit = e.get("clip")

    def clipped(v: Tensor) -> Tensor:
        return v if limit is None else F.clip(v, -limit, limit)

    def part(v: Tensor, k: int) -> Tensor:
        return v[..., k * hidden : (k + 1) * hidden]

    def rnn(x: Tensor, h: Tensor) -> list[Any]:
        return [functions[0](clipped(F.linear(x, w, bias[0]) + F.linear(h, r, bias[1])))]

    def gru(x: Tensor, h: Tensor) -> list[Any]:
        of_x, of_h = F.linear(x, w, bias[0]), F.linear(h, r, bias[1])
        z, reset = (functions[0](clipped(part(of_x, k) + part(of_h, k))) for k in (0, 1))
        if e.get("linear_before_reset", 0):
            new = part(of_x, 2) + reset * part(of_h, 2)
        else:
            new = part(of_x, 2) + F.linear(reset * h, r[2 * hidden :], bias[1][2 * hidden :])
        return [(1 - z) * functions[1](clipped(new)) + z * h]

    def lstm(x: Tensor, h: Tensor, c: Tensor) -> list[Any]:
        sums = F.linear(x, w, bias[0]) + F.linear(h, r, bias[1])
        peeps = [e.tensor(7)[d][k * hidden : (k + 1) * hidden] if e.has(7) else None for k in range(3)]

        def looking(v: Tensor, k: int, cell: Tensor) -> Tensor:
            return clipped(v if peeps[k] is None else v + peeps[k] * cell)

        i = functions[0](looking(part(sums, 0), 0, c))
        f = 1 - i if e.get("input_forget", 0) else functions[0](looking(part(sums, 2), 2, c))
        new = f * c + i * functions[1](clipped(part(sums, 3)))
        o = functions[0](looking(part(sums, 1), 1, new))
        return [o * functions[2](new), new]

    kinds: dict[str, Callable[..., list[Any]]] = {"RNN": rnn, "GRU": gru, "LSTM": lstm}
    return kinds[e.kind]
