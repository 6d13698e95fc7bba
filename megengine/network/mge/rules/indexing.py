"""Slices and index arrays along axes, read and set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .... import functional as F
from ....core.ops import builtin
from ....graph.apply import apply
from ....graph.exchange import GraphFileError
from ....ops import sized
from ....tensor import Tensor
from ..building import Builder, number, rule, tensor
from ..container import Operator

Index = list[Any]


def _bounds(op: Operator, operands: Sequence[Any]) -> list[tuple[int, dict[str, Any]]]:
    """The axes of an index with what follows for each of them."""
    left = list(operands)
    found = []
    for axis, *which in op.param("IndexDescMaskDump").items:
        if sum(map(bool, which)) > len(left):
            raise GraphFileError(f"{op} has too few operands for its index")
        found.append(
            (
                axis,
                {name: left.pop(0) for name, there in zip(("begin", "end", "step", "at"), which, strict=True) if there},
            )
        )
    if left:
        raise GraphFileError(f"{op} has {len(left)} operands too many for its index")
    return found


def _index(op: Operator, ndim: int, operands: Sequence[Any], whole: bool) -> tuple[Any, ...]:
    """The index as Python writes it.

    Args:
        op: the operator.
        ndim: of the tensor.
        operands: those of the index.
        whole: whether indices are numbers, each of which takes its axis away.
    """
    index: Index = [slice(None)] * ndim
    for axis, given in _bounds(op, operands):
        at = given.pop("at", None)
        if at is None:
            bounds = [
                number(op, given[k], "a bound of a slice") if k in given else None for k in ("begin", "end", "step")
            ]
            index[axis] = slice(*bounds)
        elif whole:
            index[axis] = int(at.reshape(())) if isinstance(at, np.ndarray) else F.reshape(at, ())
        else:
            index[axis] = tensor(at)
    return tuple(index)


@rule("Subtensor")
def take(builder: Builder, op: Operator, x: Any, *operands: Any) -> Any:
    """A part."""
    x = tensor(x)
    if not isinstance(x, Tensor) or all(isinstance(o, np.ndarray) for o in operands):
        return x[_index(op, x.ndim, operands, whole=True)]
    bounds = _bounds(op, operands)
    if len(bounds) == 1 and set(bounds[0][1]) == {"end"}:
        return _leading(builder, x, *bounds[0])
    return x[_index(op, x.ndim, operands, whole=True)]


def _leading(builder: Builder, x: Any, axis: int, given: dict[str, Any]) -> Any:
    """The first elements along an axis, as many as the graph computes."""
    axes = [axis % x.ndim, *(k for k in range(x.ndim) if k != axis % x.ndim)]
    moved = x if axes[0] == 0 else F.transpose(x, axes)
    found = apply(sized.leading, moved, given["end"], count=moved.shape[0])
    back = found if axes[0] == 0 else F.transpose(found, [int(k) for k in np.argsort(axes)])
    return builder.opened(back)


@rule("IndexingMultiAxisVec")
def take_vectors(builder: Builder, op: Operator, x: Any, *operands: Any) -> Any:
    """Index arrays along axes, broadcast against each other; what they pick lies where the first of these axes was."""
    x = tensor(x)
    x, index = _adjacent(x, _index(op, x.ndim, operands, whole=False))
    return x[index]


def _adjacent(x: Any, index: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The tensor with its indexed axes side by side, from where the first was."""
    at = [k for k, i in enumerate(index) if not isinstance(i, slice)]
    if not at or at == list(range(at[0], at[-1] + 1)):
        return x, index
    order = [*range(at[0]), *at, *(k for k in range(at[0], len(index)) if k not in at)]
    return F.transpose(x, order), tuple(index[k] for k in order)


@rule("MeshIndexing")
def take_mesh(builder: Builder, op: Operator, x: Any, *operands: Any) -> Any:
    """Index arrays along axes, each on its own: every combination of them."""
    y = tensor(x)
    for axis, at in enumerate(_index(op, y.ndim, operands, whole=False)):
        y = y[(slice(None),) * axis + (at,)]
    return y


@rule("SetSubtensor", "IndexingSetMultiAxisVec")
def put(builder: Builder, op: Operator, x: Any, value: Any, *operands: Any) -> Any:
    """A copy in which a part is replaced."""
    y = F.copy(tensor(x))
    index = _index(op, y.ndim, operands, whole=op.kind == "SetSubtensor")
    y[index] = tensor(value)
    return y


@rule("IncrSubtensor")
def put_sum(builder: Builder, op: Operator, x: Any, value: Any, *operands: Any) -> Any:
    """A copy in which a part is added to."""
    y = F.copy(tensor(x))
    index = _index(op, y.ndim, operands, whole=True)
    y[index] = y[index] + tensor(value)
    return y


@rule("IndexingOneHot")
def pick(builder: Builder, op: Operator, x: Any, index: Any) -> Any:
    """The element that an index picks along an axis, which stays with size one."""
    return builtin.IndexingOneHot(op.param("Axis").axis)._run(tensor(x), tensor(index))


@rule("IndexingSetOneHot")
def put_picked(builder: Builder, op: Operator, x: Any, index: Any, value: Any) -> Any:
    """A copy in which the element that an index picks along an axis is replaced."""
    return builtin.IndexingSetOneHot(op.param("Axis").axis)._run(tensor(x), tensor(index), tensor(value))
