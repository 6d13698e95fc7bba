"""Normalisation of the rows of dense float32 matrices, and its gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from .library import library
from .plan import Handle, Plan, cached, earned

WORTH_A_CALL = 1 << 15  # elements
WORTH_A_PLAN = 1 << 17
# Longer rows are summed less exactly than by NumPy, shorter ones no faster.
SHORTEST, LONGEST = 16, 1 << 12
MULTIPLICATIONS = 1 << 5  # that take as long as an element
_TRAINING, _BACKWARD, _BACKWARD_OF_SOURCE, _SCALE_AND_SHIFT = 64, 128, 160, 2 | 4
_SOURCE, _RESULT, _MEAN, _VARIANCE, _SCALE, _SHIFT = 1, 17, 49, 50, 51, 52
_OF_SOURCE, _OF_RESULT, _OF_SCALE, _OF_SHIFT = 128 + _SOURCE, 128 + _RESULT, 255, 256


@cache
def available() -> bool:
    """Whether the library is there and can compute them."""
    of = 1, SHORTEST, 1.0, True
    return library() is not None and cached(("gradients of layer", *of), lambda: _plan_of_gradients(*of)) is not None


def normalized(x: np.ndarray, width: int, eps: float, *affine: np.ndarray) -> list[np.ndarray] | None:
    """``(x - mean) / sqrt(var + eps) * weight + bias``, the mean and the variance of each row; None if NumPy takes no longer.

    Args:
        x: an array whose elements are rows of this width.
        width: the size of rows, of the weight and of the bias.
        eps: a number.
        affine: weight and bias, or nothing.
    """
    plan = _made("layer", x.size, width, eps, bool(affine), _plan)
    if plan is None:
        return None
    operands = [np.ascontiguousarray(a) for a in (x, *affine)]
    y, statistics = np.empty(x.shape, np.float32), np.empty((2, x.size // width), np.float32)
    of_x, *of_affine = [a.ctypes.data for a in operands]
    of_mean = statistics.ctypes.data
    plan.run(of_x, y.ctypes.data, of_mean, of_mean + statistics.nbytes // 2, *of_affine)
    return [y, *statistics]


def gradients(
    x: np.ndarray, mean: np.ndarray, var: np.ndarray, ct: np.ndarray, width: int, eps: float, *weight: np.ndarray
) -> list[np.ndarray] | None:
    """Of the input and, if there is a weight, of it and of the bias.

    Args:
        x, width, eps: as for :func:`normalized`.
        mean, var: what that gave.
        ct: the gradient of the result.
        weight: the weight, or nothing.
    """
    plan = _made("gradients of layer", x.size, width, eps, bool(weight), _plan_of_gradients)
    if plan is None:
        return None
    operands = [np.ascontiguousarray(a) for a in (x, mean, var, ct, *weight)]
    dx, of_affine = np.empty(x.shape, np.float32), np.empty((2 * len(weight), width), np.float32)
    places = [a.ctypes.data for a in (*operands, dx)]
    if weight:
        of_weight = of_affine.ctypes.data
        places += [of_weight, of_weight + of_affine.nbytes // 2]
    plan.run(*places)
    return [dx, *of_affine]


def _made(what: str, size: int, width: int, eps: float, affine: bool, make: Callable[..., Plan]) -> Plan | None:
    if not (SHORTEST <= width <= LONGEST and available()):
        return None
    of = size // width, width, eps, affine
    return earned((what, *of), size, WORTH_A_PLAN, partial(make, *of))


def _plan(rows: int, width: int, eps: float, affine: bool) -> Plan:
    plan = Plan("layer", 6 if affine else 4, rows * width * MULTIPLICATIONS)
    whole, each, flags = _described(plan, rows, width, affine)
    memory = {k: plan.argument(whole) for k in (_SOURCE, _RESULT)} | {k: plan.argument(each) for k in (_MEAN, _VARIANCE)}
    if affine:
        of_row = plan.described((width,), (1,))
        memory |= {k: plan.argument(of_row) for k in (_SCALE, _SHIFT)}
    plan.primitive(_forward(plan, whole, each, eps, flags), memory)
    return plan


def _plan_of_gradients(rows: int, width: int, eps: float, affine: bool) -> Plan:
    plan = Plan("gradients of layer", 8 if affine else 5, rows * width * MULTIPLICATIONS)
    whole, each, flags = _described(plan, rows, width, affine)
    memory = {_SOURCE: plan.argument(whole), _MEAN: plan.argument(each), _VARIANCE: plan.argument(each)}
    memory[_OF_RESULT] = plan.argument(whole)
    of_row = plan.described((width,), (1,))
    if affine:
        memory[_SCALE] = memory[_SHIFT] = plan.argument(of_row)  # versions differ in whether they take a shift, which none reads
    memory[_OF_SOURCE] = plan.argument(whole)
    if affine:
        memory |= {k: plan.argument(of_row) for k in (_OF_SCALE, _OF_SHIFT)}
    kind = _BACKWARD if affine else _BACKWARD_OF_SOURCE
    settings = kind, whole, whole, whole, each, eps, flags, _forward(plan, whole, each, eps, flags), plan.lib.attributes
    plan.primitive(plan.required("layer_normalization_backward", plan.lib.engine, *settings), memory)
    return plan


def _described(plan: Plan, rows: int, width: int, affine: bool) -> tuple[Handle, Handle, int]:
    flags = _SCALE_AND_SHIFT if affine else 0
    return plan.described((rows, width), (width, 1)), plan.described((rows,), (1,)), flags


def _forward(plan: Plan, whole: Handle, each: Handle, eps: float, flags: int) -> Handle:
    settings = _TRAINING, whole, whole, each, eps, flags, plan.lib.attributes
    return plan.required("layer_normalization_forward", plan.lib.engine, *settings)
