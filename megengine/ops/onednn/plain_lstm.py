"""One direction of an LSTM and its gradients by NumPy, for where oneDNN fails at what it has computed before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Arrays = list[np.ndarray]


def forward(
    x: np.ndarray, h: np.ndarray, c: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray, *, reverse: bool
) -> tuple[np.ndarray, np.ndarray, Arrays, Arrays]:
    """All states, the last c, and of each step the gates ``(N, 4 * hidden)`` and the c that it began with."""
    states = np.empty((len(x), *h.shape), np.float32)
    gates, before = [np.empty(0)] * len(x), [c] * len(x)
    for t in _turns(len(x), reverse):
        sums = x[t] @ w.T + h @ u.T + b
        i, f, g, o = np.split(sums, 4, 1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        gates[t], before[t] = np.concatenate([i, f, g, o], 1), c
        c = f * c + i * g
        h = states[t] = o * np.tanh(c)
    return states, c, gates, before


def gradients(
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    w: np.ndarray,
    u: np.ndarray,
    b: np.ndarray,
    d_states: np.ndarray,
    d_last_c: np.ndarray,
    *,
    reverse: bool,
) -> Arrays:
    """The gradients of all operands, of the cotangents of the states and of the last c."""
    states, _, gates, before = forward(x, h, c, w, u, b, reverse=reverse)
    dx, dw, du, db = np.empty_like(x), np.zeros_like(w), np.zeros_like(u), np.zeros_like(b)
    d_h, d_c = np.zeros_like(h), d_last_c
    turns = _turns(len(x), reverse)
    for k in range(len(turns) - 1, -1, -1):
        t = turns[k]
        i, f, g, o = np.split(gates[t], 4, 1)
        squashed = np.tanh(f * before[t] + i * g)
        d_h = d_h + d_states[t]
        d_c = d_c + d_h * o * (1 - squashed * squashed)
        parts = (
            d_c * g * i * (1 - i),
            d_c * before[t] * f * (1 - f),
            d_c * i * (1 - g * g),
            d_h * squashed * o * (1 - o),
        )
        sums = np.concatenate(parts, 1)
        dx[t] = sums @ w
        dw += sums.T @ x[t]
        du += sums.T @ (states[turns[k - 1]] if k else h)
        db += sums.sum(0)
        d_h, d_c = sums @ u, d_c * f
    return [dx, d_h, d_c, dw, du, db]


def _turns(steps: int, reverse: bool) -> Sequence[int]:
    return range(steps - 1, -1, -1) if reverse else range(steps)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    half = np.float32(0.5)
    return half + half * np.tanh(x * half)
