"""Reductions, scans and searching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import functional as F
from ...graph.apply import apply
from ...ops import reduce as ops
from ...tensor import Tensor
from .rules import Node, axis_of, computes

_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceSum": F.sum, "ReduceMean": F.mean, "ReduceProd": F.prod,
    "ReduceL1": lambda x, **axes: F.sum(F.abs(x), **axes),
    "ReduceL2": lambda x, **axes: F.sqrt(F.sum(x * x, **axes)),
    "ReduceSumSquare": lambda x, **axes: F.sum(x * x, **axes),
    "ReduceLogSum": lambda x, **axes: F.log(F.sum(x, **axes)),
}  # fmt: skip


def _axes(e: Node, rank: int) -> tuple[int, ...] | None:
    """The axes; None where nothing is reduced."""
    axes = e.setting(1, "axes")
    if not axes:
        return None if e.get("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(axis_of(a, rank) for a in axes)


@computes(*_REDUCTIONS, "ReduceMax", "ReduceMin", "ReduceLogSumExp", host=[1])
def _reduce(e: Node) -> Any:
    x, keep = e.tensor(), bool(e.get("keepdims", 1))
    axes = _axes(e, x.ndim)
    if axes is None or (not axes and x.ndim == 0):
        # Of nothing: what is done with each element remains.
        single = F.expand_dims(x, -1)
        return _reduced(e.kind, single, (x.ndim,), False) if axes is None and _changes(e.kind) else x
    return _reduced(e.kind, x, axes, keep)


def _changes(kind: str) -> bool:
    return kind in ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum")


def _reduced(kind: str, x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    if kind in _REDUCTIONS:
        return _REDUCTIONS[kind](x, axis=axes, keepdims=keep).astype(x.dtype)
    if kind == "ReduceLogSumExp":
        if any(x.shape[a] == 0 for a in axes):
            return F.log(F.sum(x, axis=axes, keepdims=keep))
        return apply(ops.logsumexp, x, axis=axes, keepdims=keep)
    if any(x.shape[a] == 0 for a in axes):
        return _of_nothing(kind, x, axes, keep)
    return apply(ops.max if kind == "ReduceMax" else ops.min, x, axis=axes, keepdims=keep)


def _of_nothing(kind: str, x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    """The extreme that every number beats."""
    shape = [1 if k in axes else n for k, n in enumerate(x.shape) if keep or k not in axes]
    if x.dtype.kind == "f":
        value: Any = -np.inf if kind == "ReduceMax" else np.inf
    elif x.dtype.kind == "b":
        value = kind == "ReduceMin"
    else:
        value = getattr(np.iinfo(x.dtype), "min" if kind == "ReduceMax" else "max")
    return Tensor(np.full(shape, value, x.dtype))


@computes("ArgMax", "ArgMin")
def _arg(e: Node) -> Any:
    x, op = e.tensor(), ops.argmax if e.kind == "ArgMax" else ops.argmin
    axis, keep = axis_of(e.get("axis", 0), x.ndim), bool(e.get("keepdims", 1))
    if not e.get("select_last_index", 0):
        return apply(op, x, axis=axis, keepdims=keep)
    backwards = Tensor(np.arange(x.shape[axis])[::-1].astype(np.int32))
    return x.shape[axis] - 1 - apply(op, x[(*[slice(None)] * axis, backwards)], axis=axis, keepdims=keep)


@computes("TopK", host=[1])
def _top_k(e: Node) -> Any:
    """Of equal elements the earlier first."""
    x = e.tensor()
    axis, k = axis_of(e.get("axis", -1), x.ndim), e.setting(1, "k")
    k = k[0] if isinstance(k, list) else k
    moved = F.transpose(x, _last(axis, x.ndim))
    if e.get("largest", 1):
        turned = Tensor(np.arange(x.shape[axis])[::-1].astype(np.int32))
        values, order = F.topk(moved[..., turned], k, descending=True)
        order = x.shape[axis] - 1 - order
    else:
        values, order = F.topk(moved, k, descending=False)
    back = np.argsort(_last(axis, x.ndim)).tolist()
    return F.transpose(values, back), F.transpose(order, back)


def _last(axis: int, rank: int) -> list[int]:
    return [k for k in range(rank) if k != axis] + [axis]


@computes("CumSum", host=[1])
def _cum_sum(e: Node) -> Any:
    x = e.tensor()
    axis = axis_of(int(e.host(1).reshape(-1)[0]), x.ndim)
    turned = (*[slice(None)] * axis, Tensor(np.arange(x.shape[axis])[::-1].astype(np.int32)))
    given = x[turned] if e.get("reverse", 0) else x
    total = F.cumsum(given, axis)
    if e.get("exclusive", 0):
        total = total - given
    return total[turned] if e.get("reverse", 0) else total
