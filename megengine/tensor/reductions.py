"""Reductions over axes as users write them."""

from __future__ import annotations

from typing import Any

from ..graph.apply import apply
from ..ops.op import Op
from . import axes as _axes


def reduced(op: Op, x: Any, axis: Any, keepdims: bool) -> Any:
    """A reduction of the table over all elements or over ``axis``.

    Raises:
        AssertionError: ``keepdims`` without an axis.
    """
    if axis is None and keepdims:
        raise AssertionError(f"{op.name}: keepdims=True needs an axis")
    return apply(op, x, axis=_axes.reduction_axes(axis, x.ndim, op.name), keepdims=bool(keepdims))
