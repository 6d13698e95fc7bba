"""Reductions over sliding windows and their gradients: one pass for each position in the window, over all windows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from .interpreter import nested
from .narrow import widened
from .reducing import highest, lowest
from .rules import RULES, Equation, Run, rule
from .taps import Axis, taps


def _axes(eqn: Equation, sizes: Sequence[int], counts: Sequence[int]) -> list[Axis]:
    """The windows along each dimension."""
    params = eqn.params
    once = (1,) * len(sizes)
    settings = (
        params["window_dimensions"],
        counts,
        params["window_strides"],
        params.get("window_dilation", once),
        [low for low, _ in params["padding"]],
        params.get("base_dilation", once),
    )
    return [Axis(*along) for along in zip(sizes, *settings, strict=True)]


def _plain(axis: Axis) -> bool:
    """Whether each window is one element, in order."""
    every = slice(0, axis.size, 1)
    return axis.window == 1 and axis.count == axis.size and axis.met(0) == (every, every)


def _separable(ufunc: np.ufunc, identity: Callable[[Any], Any]) -> Callable[[Equation], Run]:
    """One dimension after the other."""

    def make(eqn: Equation) -> Run:
        aval, out = eqn.invars[0].aval, eqn.outvars[0].aval
        dtype = np.dtype(out.dtype)
        axes = _axes(eqn, aval.shape, out.shape)
        passes = [(k, axis) for k, axis in enumerate(axes) if not _plain(axis)]
        start = identity(dtype)

        def run(x: Any) -> Any:
            x = widened(x)
            for k, axis in passes:
                x = _along(ufunc, x, k, axis, start)
            return x.astype(dtype, copy=False)

        return run

    return make


def _along(ufunc: np.ufunc, x: Any, dimension: int, axis: Axis, start: Any) -> Any:
    before = (slice(None),) * dimension
    met = [pair for pair in map(axis.met, range(axis.window)) if pair is not None]
    shape = (*x.shape[:dimension], axis.count, *x.shape[dimension + 1 :])
    whole = [pair for pair in met if pair[0] == slice(0, axis.count, 1)]
    if len(whole) >= 2:
        first, second = whole[:2]
        y = ufunc(x[(*before, first[1])], x[(*before, second[1])])
        met = [pair for pair in met if pair is not first and pair is not second]
    else:
        y = np.full(shape, start, x.dtype)
    for windows, elements in met:
        part = y[(*before, windows)]
        ufunc(part, x[(*before, elements)], out=part)
    return y


RULES["reduce_window_sum"] = _separable(np.add, lambda dtype: dtype.type(0))
RULES["reduce_window_max"] = _separable(np.maximum, lowest)
RULES["reduce_window_min"] = _separable(np.minimum, highest)


@rule("reduce_window")
def reduce_window(eqn: Equation) -> Run:
    """Any operation, on several arrays at once; padding takes no part, as in XLA on CPUs."""
    count = len(eqn.outvars)
    arrays, outs = [v.aval for v in eqn.invars[:count]], [v.aval for v in eqn.outvars]
    axes = _axes(eqn, arrays[0].shape, outs[0].shape)
    positions = taps(axes)
    one = jaxpr_as_fun(ClosedJaxpr(eqn.params["jaxpr"], eqn.params["consts"]))
    lanes = [jax.ShapeDtypeStruct((prod(outs[0].shape),), a.dtype) for a in arrays]
    combine = nested(jax.make_jaxpr(jax.vmap(lambda *xs: one(*xs)))(*lanes, *lanes))

    def run(*operands: Any) -> Any:
        values, initial = operands[:count], operands[count:]
        state = [np.full(out.shape, i, out.dtype) for out, i in zip(outs, initial, strict=True)]
        for tap in positions:
            met = [s.copy() for s in state]
            for part, x in zip(met, values, strict=True):
                part[tap.windows] = x[tap.elements]
            combined = combine(*(s.reshape(-1) for s in state), *(m.reshape(-1) for m in met))
            for s, c in zip(state, combined, strict=True):
                s[tap.windows] = np.reshape(c, s.shape)[tap.windows]
        return state

    return run


class _Selection:
    """For each window the position of the element that stands first by ``>=`` or ``<=``, counted row by row."""

    def __init__(self, eqn: Equation, sizes: Sequence[int], counts: Sequence[int], dtype: Any) -> None:
        least = eqn.params["select_prim"].name == "le"
        self.stands = np.less_equal if least else np.greater_equal
        self.padding = np.asarray((highest if least else lowest)(dtype), dtype)
        self.axes = _axes(eqn, sizes, counts)
        self.taps = taps(self.axes)
        self.at = np.int16 if prod(a.window for a in self.axes) < 1 << 15 else np.int64

    def __call__(self, operand: Any, counts: Sequence[int]) -> Any:
        operand = widened(operand)
        best = np.full(counts, self.padding, operand.dtype)
        # Padding takes part: it stands where it comes first.
        found = np.zeros(counts, self.at)
        for tap in self.taps:
            seen, place = operand[tap.elements], tap.windows
            if tap.at == 0:
                best[place] = seen
                continue
            replaced = ~self.stands(best[place], seen)
            np.copyto(best[place], seen, where=replaced)
            np.copyto(found[place], self.at(tap.at), where=replaced)
        return found


@rule("select_and_scatter_add")
def select_and_scatter_add(eqn: Equation) -> Run:
    source, operand = (v.aval for v in eqn.invars)
    select = _Selection(eqn, operand.shape, source.shape, operand.dtype)
    dtype = np.dtype(eqn.outvars[0].aval.dtype)

    def run(source: Any, operand: Any) -> Any:
        found = select(operand, source.shape)
        source = widened(source)
        y = np.zeros(operand.shape, source.dtype)
        for tap in select.taps:
            share = np.where(found[tap.windows] == tap.at, source[tap.windows], source.dtype.type(0))
            y[tap.elements] += share
        return y.astype(dtype, copy=False)

    return run


@rule("select_and_gather_add")
def select_and_gather_add(eqn: Equation) -> Run:
    operand, out = eqn.invars[1].aval, eqn.outvars[0].aval
    select = _Selection(eqn, operand.shape, out.shape, operand.dtype)

    def run(tangents: Any, operand: Any) -> Any:
        y = np.zeros(out.shape, out.dtype)
        best = np.full(out.shape, select.padding, widened(operand).dtype)
        for tap in select.taps:
            seen = widened(operand[tap.elements])
            replaced = ~select.stands(best[tap.windows], seen)
            np.copyto(best[tap.windows], seen, where=replaced)
            np.copyto(y[tap.windows], tangents[tap.elements], where=replaced)
        return y

    return run
