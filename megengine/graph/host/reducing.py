"""Reductions, argmax and cumulative operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import ml_dtypes
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from .interpreter import nested
from .narrow import FLOAT32, is_floating, is_narrow, widened
from .rules import RULES, Equation, Run, rule


def lowest(dtype: np.dtype) -> Any:
    """What no value of this dtype is below."""
    if dtype == np.bool_:
        return False
    if dtype.kind == "c":
        return complex(-np.inf, -np.inf)
    return -np.inf if is_floating(dtype) else int(ml_dtypes.iinfo(dtype).min)


def highest(dtype: np.dtype) -> Any:
    """What no value of this dtype is above."""
    if dtype == np.bool_:
        return True
    if dtype.kind == "c":
        return complex(np.inf, np.inf)
    return np.inf if is_floating(dtype) else int(ml_dtypes.iinfo(dtype).max)


def _summing(ufunc: np.ufunc) -> Callable[[Equation], Run]:
    """In the result's own dtype: NumPy would widen integers."""

    def make(eqn: Equation) -> Run:
        axes, dtype = tuple(eqn.params["axes"]), eqn.outvars[0].aval.dtype
        if not axes:
            return lambda x: x
        if is_narrow(dtype):
            return lambda x: ufunc.reduce(x.astype(np.float32), axes).astype(dtype)
        return lambda x: ufunc.reduce(x, axes, dtype)

    return make


def _extreme(ufunc: np.ufunc, identity: Callable[[np.dtype], Any]) -> Callable[[Equation], Run]:
    def make(eqn: Equation) -> Run:
        axes, aval = tuple(eqn.params["axes"]), eqn.invars[0].aval
        if not axes:
            return lambda x: x
        if all(aval.shape[a] for a in axes):
            return lambda x: ufunc.reduce(x, axes)
        empty = np.full(eqn.outvars[0].aval.shape, identity(aval.dtype), aval.dtype)
        return lambda x: empty.copy()

    return make


for _name, _fn in {"reduce_sum": np.add, "reduce_prod": np.multiply}.items():
    RULES[_name] = _summing(_fn)
RULES["reduce_max"] = _extreme(np.maximum, lowest)
RULES["reduce_min"] = _extreme(np.minimum, highest)
for _name, _fn in {"reduce_and": np.bitwise_and, "reduce_or": np.bitwise_or, "reduce_xor": np.bitwise_xor}.items():
    RULES[_name] = _summing(_fn)


@rule("argmax", "argmin")
def argmax(eqn: Equation) -> Run:
    """The first of equals; a NaN is beyond everything."""
    (axis,), dtype = eqn.params["axes"], np.dtype(eqn.params["index_dtype"])
    find = np.argmax if eqn.primitive.name == "argmax" else np.argmin
    return lambda x: find(widened(x), axis).astype(dtype)


def _cumulative(ufunc: np.ufunc) -> Callable[[Equation], Run]:
    def make(eqn: Equation) -> Run:
        axis, dtype = eqn.params["axis"], eqn.outvars[0].aval.dtype
        wide = FLOAT32 if is_narrow(dtype) else dtype
        back = (slice(None),) * axis + (slice(None, None, -1),)

        def run(x: Any) -> Any:
            return ufunc.accumulate(x.astype(wide, copy=False), axis, wide).astype(dtype, copy=False)

        return (lambda x: run(x[back])[back]) if eqn.params["reverse"] else run

    return make


CUMULATIVE: dict[str, np.ufunc] = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
    "cumlogsumexp": np.logaddexp,
}
for _name, _ufunc in CUMULATIVE.items():
    RULES[_name] = _cumulative(_ufunc)


@rule("reduce")
def reduce(eqn: Equation) -> Run:
    """Any associative operation, folded along the axes one element at a time, for all the others at once."""
    axes, count = tuple(eqn.params["dimensions"]), len(eqn.outvars)
    arrays = [v.aval for v in eqn.invars[:count]]
    kept = [k for k in range(arrays[0].ndim) if k not in axes]
    length = int(np.prod([arrays[0].shape[k] for k in axes], dtype=np.int64))
    out = eqn.outvars[0].aval.shape
    closed = ClosedJaxpr(eqn.params["jaxpr"], eqn.params["consts"]) if "consts" in eqn.params else eqn.params["jaxpr"]
    one = jaxpr_as_fun(closed)
    width = int(np.prod(out, dtype=np.int64))
    lanes = [jax.ShapeDtypeStruct((width,), a.dtype) for a in arrays]
    combine = nested(jax.make_jaxpr(jax.vmap(lambda *xs: one(*xs)))(*lanes, *lanes))

    def run(*operands: Any) -> Any:
        values, initial = operands[:count], operands[count:]
        rows = [x.transpose((*axes, *kept)).reshape(length, width) for x in values]
        state = [np.full(s.shape, i, s.dtype) for s, i in zip(lanes, initial, strict=True)]
        for k in range(length):
            state = combine(*state, *(r[k] for r in rows))
        return [s.reshape(out) for s in state]

    return run
