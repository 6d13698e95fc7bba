"""Reductions, scans, sorting and searching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.exchange.batch import Varying
from .graph import Graph
from .rules import Call, rule

_REDUCTIONS = {"sum": "ReduceSum", "prod": "ReduceProd", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin"}


def axes_of(axis: Any) -> Sequence[int] | None:
    """An axis as reductions take it."""
    return [axis] if isinstance(axis, int) else axis


@rule(*_REDUCTIONS)
def _reduction(g: Graph, e: Call) -> str:
    axes = axes_of(e["axis"])
    if e.dtype.kind in "biu" and e.dtype.itemsize < 4:
        return g.cast(g.reduce(_REDUCTIONS[e.name], g.cast(e.x, np.int32), axes, e["keepdims"]), e.dtype)
    return g.reduce(_REDUCTIONS[e.name], e.x, axes, e["keepdims"])


def variance(g: Graph, x: str, axes: Sequence[int] | None, keepdims: bool) -> str:
    """The biased variance."""
    centred = g.op("Sub", x, g.reduce("ReduceMean", x, axes, True))
    return g.reduce("ReduceMean", g.op("Mul", centred, centred), axes, keepdims)


@rule("var")
def _var(g: Graph, e: Call) -> str:
    return variance(g, e.x, axes_of(e["axis"]), e["keepdims"])


@rule("std")
def _std(g: Graph, e: Call) -> str:
    return g.op("Sqrt", variance(g, e.x, axes_of(e["axis"]), e["keepdims"]))


@rule("argmax", "argmin")
def _arg(g: Graph, e: Call) -> str:
    kind = "ArgMax" if e.name == "argmax" else "ArgMin"
    axis, x = e["axis"], g.cast(e.x, np.int32) if e.dtype == np.bool_ else e.x
    if axis is not None:
        return g.cast(g.op(kind, x, axis=axis, keepdims=int(e["keepdims"])), e.out_dtype)
    found = g.op(kind, g.op("Reshape", x, g.ints(-1)), axis=0, keepdims=0)
    found = g.cast(found, e.out_dtype)
    return g.unsqueeze(found, *range(len(e.shape))) if e["keepdims"] else found


@rule("cumsum")
def _cumsum(g: Graph, e: Call) -> str:
    return g.op("CumSum", e.x, g.const(np.array(e["axis"], np.int64)))


def top(g: Graph, x: str, size: Any, k: Any, descending: bool) -> tuple[str, str]:
    """Values and int32 indices of the first ``k`` along the last axis: of equal ones the later first where descending."""
    end, start = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    if descending:  # TopK has the earlier of equal ones first
        x = g.slice(x, [end], [start], [-1], [-1])
    values, order = g.ops(
        "TopK", x, k if isinstance(k, str) else g.size(k), count=2, axis=-1, largest=int(descending), sorted=1
    )
    order = g.cast(order, np.int32)
    if descending:
        known = not isinstance(size, (str, Varying))
        last = (
            g.ints(int(size) - 1) if known else g.op("Sub", size if isinstance(size, str) else g.size(size), g.ints(1))
        )
        order = g.op("Sub", g.cast(last, np.int32), order)
    return values, order


@rule("sort")
def _sort(g: Graph, e: Call) -> list[str]:
    return list(top(g, e.x, e.shape[-1], e.shape[-1], e["descending"]))


@rule("argsort")
def _argsort(g: Graph, e: Call) -> str:
    return top(g, e.x, e.shape[-1], e.shape[-1], e["descending"])[1]


@rule("topk")
def _topk(g: Graph, e: Call) -> list[str]:
    k = min(e["k"], int(e.shape[-1]))
    found = top(g, e.x, e.shape[-1], k, e["descending"])
    return [g.op("Gather", v, g.const(np.array(k - 1)), axis=-1) for v in found] if e["kth_only"] else list(found)


@rule("topk_accuracy")
def _topk_accuracy(g: Graph, e: Call) -> str:
    best = top(g, e.x, e.shape[1], min(e["k"], int(e.shape[1])), True)[1]
    hits = g.op("Equal", best, g.unsqueeze(g.cast(e.inputs[1], np.int32), 1))
    return g.op(
        "Div", g.reduce("ReduceSum", g.cast(hits, np.float32), None, False), g.number(e.shapes[1][0], np.float32)
    )


@rule("logsumexp")
def _logsumexp(g: Graph, e: Call) -> str:
    return g.reduce("ReduceLogSumExp", e.x, axes_of(e["axis"]), e["keepdims"])


@rule("norm")
def _norm(g: Graph, e: Call) -> str:
    return norm(g, e.x, e.dtype, e["ord"], axes_of(e["axis"]), e["keepdims"])


def norm(g: Graph, x: str, dtype: np.dtype, order: float, axes: Any, keepdims: bool) -> str:
    """The norm of this order."""
    if order == 0:
        there = g.op("Not", g.op("Equal", x, g.like(0, dtype)))
        return g.reduce("ReduceSum", g.cast(there, np.int32), axes, keepdims)
    if np.isinf(order):
        return g.reduce("ReduceMax" if order > 0 else "ReduceMin", g.op("Abs", x), axes, keepdims)
    if dtype.kind not in "fV":
        x, dtype = g.cast(x, np.float32), np.dtype(np.float32)
    if order in (1, 2):
        return g.reduce(f"ReduceL{int(order)}", x, axes, keepdims)
    powers = g.op("Pow", g.op("Abs", x), g.like(order, dtype))
    return g.op("Pow", g.reduce("ReduceSum", powers, axes, keepdims), g.like(1 / order, dtype))


@rule("normalize")
def _normalize(g: Graph, e: Call) -> str:
    size = norm(g, e.x, e.dtype, e["ord"], axes_of(e["axis"]), True)
    return g.op("Div", e.x, g.op("Max", g.cast(size, e.dtype) if e["ord"] == 0 else size, e.inputs[1]))


@rule("assert_equal")
def _assert_equal(g: Graph, e: Call) -> str:
    return g.op("Identity", e.x)
