"""Along an axis: reductions, places of extremes, sorting, running sums."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ....core.ops import builtin
from ..building import Builder, known, number, required, rule, tensor
from ..container import Operator


@rule("Reduce")
def reduce(builder: Builder, op: Operator, x: Any, *shape: Any) -> Any:
    """A reduction along an axis, which stays with size one, or to a shape: ``[1]`` stands for all."""
    how = op.param("Reduce")
    required(op, "data_type", how.data_type, ["DEFAULT", "FLOAT_O32xC32", "FLOAT_IO16xC32", "FLOAT_O16xC32"])
    x, before = tensor(x), tensor(x).dtype
    if how.data_type != "DEFAULT":
        x = x.astype("float32")
    reduction = builtin.Reduce(how.mode, how.axis)
    if shape:
        target = known(op, shape[0], "a shape")
        whole = all(n == 1 for n in target)
        y = F.reshape(builtin.Reduce(how.mode)._run(x)[0], tuple(target)) if whole else reduction._run(x, target)[0]
    else:
        y = reduction._run(x)[0]
    return y.astype(before if how.data_type != "FLOAT_O32xC32" else "float32") if how.data_type != "DEFAULT" else y


@rule("Argmax")
def largest(builder: Builder, op: Operator, x: Any) -> Any:
    """Where the largest is; the axis stays."""
    return F.argmax(tensor(x), op.param("Axis").axis, True)


@rule("Argmin")
def smallest(builder: Builder, op: Operator, x: Any) -> Any:
    """Where the smallest is; the axis stays."""
    return F.argmin(tensor(x), op.param("Axis").axis, True)


@rule("Argsort")
def sort(builder: Builder, op: Operator, x: Any) -> Any:
    """The last axis sorted, and where each comes from."""
    return builtin.Argsort(op.param("Argsort").order)._run(tensor(x))


@rule("TopK")
def extremes(builder: Builder, op: Operator, x: Any, k: Any) -> Any:
    """The smallest of the last axis, the largest for a negative number."""
    return builtin.TopK(op.param("TopK").mode)._run(tensor(x), number(op, k, "a number"))


@rule("Cumsum")
def running_sum(builder: Builder, op: Operator, x: Any) -> Any:
    """Sums of what comes before."""
    how = op.param("Cumsum")
    return builtin.Cumsum(how.axis, how.exclusive, how.reverse)._run(tensor(x))


@rule("Softmax")
def softmax(builder: Builder, op: Operator, x: Any) -> Any:
    """Softmax along an axis."""
    return F.softmax(tensor(x), op.param("Softmax").axis)
