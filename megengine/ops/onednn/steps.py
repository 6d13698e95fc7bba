"""What a convolution does to its results before it writes them, which then needs no pass over memory of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .plan import FLOAT32, Handle, Plan, strides_of

_ADD, _MUL, _MIN, _RELU = 0x1FFF0, 0x1FFF1, 0x1FFF3, 0x20
# Steps by name; all but the last have an operand: a number for each channel, or an array like the result.
OF_CHANNELS = {"scale": _MUL, "shift": _ADD, "least": _MIN}
LIKE_RESULT = {"add": _ADD}
STEPS = (*OF_CHANNELS, *LIKE_RESULT, "relu")
_OPERAND, _OF_STEP = 2, 32768


def operands(steps: Sequence[str], shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The shapes of the steps' operands, for a result of a shape."""
    return [shape if step in LIKE_RESULT else shape[1:2] for step in steps if step != "relu"]


def attributes(plan: Plan, steps: Sequence[str], shape: tuple[int, ...]) -> tuple[Handle, list[tuple[int, Handle]]]:
    """The attributes of a primitive with these steps, and for each operand its argument and memory descriptor.

    Args:
        plan: what makes them.
        steps: names of :data:`STEPS`.
        shape: the result's, whose channels lie behind its sizes.
    """
    lib, found = plan.lib, []
    chain = Handle("post_ops", lib.made("post_ops_create"), lib)
    for k, step in enumerate(steps):
        if step == "relu":
            lib.call("post_ops_append_eltwise", chain.value, _RELU, 0.0, 0.0)
            continue
        whole = step in LIKE_RESULT
        of = shape if whole else (1, shape[1], *[1] * (len(shape) - 2))
        described = plan.described(of, strides_of(of, whole), FLOAT32)
        lib.call("post_ops_append_binary", chain.value, {**OF_CHANNELS, **LIKE_RESULT}[step], described.value)
        found.append((_OF_STEP * (k + 1) | _OPERAND, described))
    made = Handle("primitive_attr", lib.made("primitive_attr_create"), lib)
    lib.call("primitive_attr_set_scratchpad_mode", made.value, 1)
    lib.call("primitive_attr_set_post_ops", made.value, chain.value)
    return made, found


def compute(steps: Sequence[str], given: Sequence[np.ndarray], y: np.ndarray) -> None:
    """The same by NumPy, in place."""
    left = list(given)
    for step in steps:
        if step == "relu":
            np.copyto(y, 0, where=~(y > 0))
            continue
        operand: Any = left.pop(0)
        if step not in LIKE_RESULT:
            operand = operand.reshape(-1, *[1] * (y.ndim - 2))
        if step == "least":  # of NaN, too
            np.copyto(y, operand, where=~(y < operand))
        elif step == "scale":
            y *= operand
        else:
            y += operand
