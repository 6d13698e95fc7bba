"""Softmax of the rows of dense float32 matrices."""

from __future__ import annotations

from functools import cache

import numpy as np

from .library import library
from .plan import Plan, cached, earned

WORTH_A_CALL = 1 << 14  # elements
WORTH_A_PLAN = 1 << 17
LONGEST = 1 << 13  # longer rows are summed less exactly than by NumPy
MULTIPLICATIONS = 1 << 6  # that take as long as an element
_TRAINING, _ACCURATE = 64, 0x30000
_SOURCE, _RESULT = 1, 17


@cache
def available() -> bool:
    """Whether the library is there and can compute it."""
    return library() is not None and cached(("softmax", 1, 1), lambda: _plan(1, 1)) is not None


def value(x: np.ndarray) -> np.ndarray | None:
    """Of the last dimension; None if NumPy takes no longer, or knows better what becomes of infinities and NaN.

    Args:
        x: an array of at least one dimension, with some elements.
    """
    width = x.shape[-1]
    if width > LONGEST or not available():
        return None
    of = x.size // width, width
    plan = earned(("softmax", *of), x.size, WORTH_A_PLAN, lambda: _plan(*of))
    if plan is None:
        return None
    x, y = np.ascontiguousarray(x), np.empty(x.shape, np.float32)
    plan.run(x.ctypes.data, y.ctypes.data)
    total = np.add.reduce(y, None)
    return y if total == total else None


def _plan(rows: int, width: int) -> Plan:
    plan = Plan("softmax", 2, rows * width * MULTIPLICATIONS)
    of = plan.described((rows, width), (width, 1))
    settings = _TRAINING, _ACCURATE, of, of, 1, plan.lib.attributes
    forward = plan.required("softmax_forward", plan.lib.engine, *settings)
    plan.primitive(forward, {_SOURCE: plan.argument(of), _RESULT: plan.argument(of)})
    return plan
