"""Softmax over the last dimension, by oneDNN where it is there, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops.onednn import softmax
from .rules import Equation, Run, rule


def _value(x: Any) -> Any:
    found = softmax.value(x) if x.size >= softmax.WORTH_A_CALL else None
    if found is not None:
        return found
    if not x.size:
        return x
    y = x - np.maximum.reduce(x, -1, keepdims=True)
    np.exp(y, y)
    y /= np.add.reduce(y, -1, keepdims=True)
    return y


@rule("softmax")
def of_value(eqn: Equation) -> Run:
    return lambda x: [_value(x)]


@rule("softmax_gradient")
def of_gradient(eqn: Equation) -> Run:
    """By NumPy: without AVX-512 oneDNN takes ten times as long."""

    def run(y: Any, ct: Any) -> Any:
        dx = ct - np.vecdot(y, ct)[..., None]
        dx *= y
        return [dx]

    return run
