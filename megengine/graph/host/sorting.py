"""Sorting, as XLA orders: NaN last, zeros of both signs equal; and the largest, which XLA finds by the order of bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .narrow import is_floating, is_narrow
from .rules import Equation, Run, rule


@rule("sort")
def sort(eqn: Equation) -> Run:
    axis, keys, dtype = eqn.params["dimension"], eqn.params["num_keys"], eqn.invars[0].aval.dtype
    if len(eqn.invars) == 1 and not is_narrow(dtype) and dtype.kind != "c":
        return lambda x: [_sorted(x, axis)]

    def run(*operands: Any) -> Any:
        if keys == 1:
            order = _order(_ordered(operands[0]), axis)
        else:
            columns = [x.astype(np.float32) if is_narrow(x.dtype) else x for x in operands[:keys]]
            order = np.lexsort(columns[::-1], axis)
        return [np.take_along_axis(x, order, axis) for x in operands]

    return run


def _sorted(x: Any, axis: int) -> Any:
    """By an unstable sort, which is several times quicker, unless equals can be told apart: zeros of both signs."""
    if is_floating(x.dtype):
        negative_zero = np.iinfo(f"i{x.dtype.itemsize}").min
        if (x.view(f"i{x.dtype.itemsize}") == negative_zero).any():
            return np.sort(x, axis, kind="stable")
    return np.sort(x, axis)


def _ordered(x: Any) -> Any:
    """Keys in the order of a sort: as they are, or for floats integers, in which zeros are equal, and NaN."""
    if not is_floating(x.dtype):
        return x
    if is_narrow(x.dtype):
        x = x.astype(np.float32)
    keys = _total_order(x + x.dtype.type(0))  # -0 becomes 0
    return np.where(np.isnan(x), np.iinfo(keys.dtype).max, keys)


def _total_order(x: Any) -> Any:
    """Integers in the order of a float's bits: -NaN, -inf, ..., -0, +0, ..., inf, NaN."""
    signed = np.dtype(f"i{x.dtype.itemsize}")
    bits = x.view(signed)
    return np.bitwise_xor(bits, np.right_shift(bits, 8 * x.dtype.itemsize - 1) & np.iinfo(signed).max)


@rule("eq_to", "le_to", "lt_to")
def in_total_order(eqn: Equation) -> Run:
    compare = {"eq_to": np.equal, "le_to": np.less_equal, "lt_to": np.less}[eqn.primitive.name]
    if not is_floating(eqn.invars[0].aval.dtype):
        return compare
    return lambda x, y: compare(_total_order(x), _total_order(y))


def _order(keys: Any, axis: int, k: int | None = None) -> Any:
    """Indices that sort stably, or the first ``k`` of them.

    Integers of up to 32 bits are sorted together with their places as one number of 64, which NumPy does quicker than a stable
    argsort.
    """
    head = (slice(None),) * axis + (slice(0, k),)
    count = keys.shape[axis]
    if keys.dtype.kind not in "iu" or keys.dtype.itemsize > 4 or count >= 2**31:
        return np.argsort(keys, axis, kind="stable")[head]
    places = np.arange(count).reshape([-1 if d == axis else 1 for d in range(keys.ndim)])
    wide = keys.astype(np.int64)
    both = np.left_shift(wide - 2**31 if keys.dtype.kind == "u" else wide, 32)
    np.bitwise_or(both, places, out=both)
    if k is not None and 0 < k < count // 8:
        both = np.partition(both, k - 1, axis)[head]
    both.sort(axis)
    return (both & 0xFFFFFFFF)[head]


@rule("top_k")
def top_k(eqn: Equation) -> Run:
    aval, k, axis = eqn.invars[0].aval, eqn.params["k"], eqn.params["axis"]
    index = eqn.outvars[1].aval.dtype
    floating = is_floating(aval.dtype)

    def run(x: Any) -> Any:
        keys = _total_order(x) if floating else x.view(np.uint8) if x.dtype == np.bool_ else x
        order = _order(np.invert(keys), axis, k)
        return [np.take_along_axis(x, order, axis), order.astype(index)]

    return run
