"""The Gaussian error linear unit and its derivative, of dense float32 arrays."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .library import library
from .plan import Handle, Plan, aligned, cached

WORTH_A_CALL = 1 << 9  # elements
MULTIPLICATIONS = 1 << 8  # that take as long as an element
_GELU, _TRAINING = 0x31, 64
_SOURCE, _RESULT = 1, 17
_OF_SOURCE, _OF_RESULT = 128 + _SOURCE, 128 + _RESULT


@cache
def available() -> bool:
    """Whether the library is there and can compute them."""
    return library() is not None and cached(("gelu", 1), lambda: _plan(1)) is not None


def value(x: np.ndarray) -> np.ndarray:
    """``x * Phi(x)``, where Phi is the distribution function of the normal distribution."""
    y = aligned(x.shape, np.float32)
    _made(("gelu", x.size), lambda: _plan(x.size)).run(x.ctypes.data, y.ctypes.data)
    return y


def slope(x: np.ndarray) -> np.ndarray:
    """The derivative of :func:`value`."""
    y = np.ones(x.shape, np.float32)
    place = y.ctypes.data
    _made(("gradient of gelu", x.size), lambda: _plan_of_gradient(x.size)).run(x.ctypes.data, place, place)
    return y


def _made(key: tuple[str, int], make: Any) -> Plan:
    plan = cached(key, make)
    assert plan is not None, f"{key[0]} of {key[1]} elements"
    return plan


def _forward(plan: Plan, of: Handle) -> Handle:
    return plan.required("eltwise_forward", plan.lib.engine, _TRAINING, _GELU, of, of, 0.0, 0.0, plan.lib.attributes)


def _plan(size: int) -> Plan:
    plan = Plan("gelu", 2, size * MULTIPLICATIONS)
    of = plan.described((size,), (1,))
    plan.primitive(_forward(plan, of), {_SOURCE: plan.argument(of), _RESULT: plan.argument(of)})
    return plan


def _plan_of_gradient(size: int) -> Plan:
    """Of the source and the result's gradient, which the source's may be written over."""
    plan = Plan("gradient of gelu", 3, size * MULTIPLICATIONS)
    of = plan.described((size,), (1,))
    settings = _GELU, of, of, of, 0.0, 0.0, _forward(plan, of), plan.lib.attributes
    backward = plan.required("eltwise_backward", plan.lib.engine, *settings)
    plan.primitive(backward, {place: plan.argument(of) for place in (_SOURCE, _OF_RESULT, _OF_SOURCE)})
    return plan
