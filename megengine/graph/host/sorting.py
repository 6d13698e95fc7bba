"""Sorting, as XLA orders: NaN last, zeros of both signs equal; and the largest, which XLA finds by the order of bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from .narrow import is_floating, is_narrow
from .rules import Run, rule


@rule("sort")
def sort(eqn: JaxprEqn) -> Run:
    axis, keys = eqn.params["dimension"], eqn.params["num_keys"]
    if len(eqn.invars) == 1 and not is_narrow(eqn.invars[0].aval.dtype):
        return lambda x: [np.sort(x, axis, kind="stable")]

    def run(*operands: Any) -> Any:
        columns = [_column(x, axis) for x in operands[:keys]]
        if keys == 1:
            order = np.argsort(columns[0], axis, kind="stable")
        else:
            order = np.lexsort(columns[::-1], axis)
        return [np.take_along_axis(x, order, axis) for x in operands]

    return run


def _column(x: Any, axis: int) -> Any:
    return x.astype(np.float32) if is_narrow(x.dtype) else x


def _total_order(x: Any) -> Any:
    """Integers in the order of a float's bits: -NaN, -inf, ..., -0, +0, ..., inf, NaN."""
    signed = np.dtype(f"i{x.dtype.itemsize}")
    bits = x.view(signed)
    return np.where(bits < 0, bits ^ np.iinfo(signed).max, bits)


@rule("top_k")
def top_k(eqn: JaxprEqn) -> Run:
    aval, k, axis = eqn.invars[0].aval, eqn.params["k"], eqn.params["axis"]
    index = eqn.outvars[1].aval.dtype
    floating = is_floating(aval.dtype)
    head = (slice(None),) * axis + (slice(0, k),)

    def run(x: Any) -> Any:
        keys = _total_order(x) if floating else x.view(np.uint8) if x.dtype == np.bool_ else x
        order = np.argsort(np.invert(keys), axis, kind="stable")[head]
        return [np.take_along_axis(x, order, axis), order.astype(index)]

    return run
