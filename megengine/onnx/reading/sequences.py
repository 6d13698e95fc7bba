"""Sequences of tensors, which are lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from .rules import Node, as_array, as_tensor, axis_of, computes
from .shaping import parts_of, stacked


@computes("SequenceEmpty")
def _sequence_empty(e: Node) -> Any:
    return [[]]


@computes("SequenceConstruct")
def _sequence_construct(e: Node) -> Any:
    return [list(e.inputs)]


@computes("SequenceAt", host=[1])
def _sequence_at(e: Node) -> Any:
    return e.inputs[0][int(e.host(1).reshape(-1)[0])]


@computes("SequenceLength")
def _sequence_length(e: Node) -> Any:
    return np.array(len(e.inputs[0]), np.int64)


@computes("SequenceInsert", host=[2])
def _sequence_insert(e: Node) -> Any:
    items = list(e.inputs[0])
    items.insert(e.number(2, "position", len(items)), e.inputs[1])
    return [items]


@computes("SequenceErase", host=[1])
def _sequence_erase(e: Node) -> Any:
    items = list(e.inputs[0])
    del items[e.number(1, "position", -1)]
    return [items]


@computes("ConcatFromSequence")
def _concat_from_sequence(e: Node) -> Any:
    items, axis = [as_tensor(v) for v in e.inputs[0]], e.get("axis")
    return stacked(items, axis_of(axis, items[0].ndim + 1)) if e.get("new_axis", 0) else F.concat(items, axis=axis)


@computes("SplitToSequence", host=[1])
def _split_to_sequence(e: Node) -> Any:
    x = e.tensor()
    axis = axis_of(e.get("axis", 0), x.ndim)
    size = x.shape[axis]
    if not e.has(1):
        parts = parts_of(x, axis, [1] * size)
        if e.get("keepdims", 1):
            return [parts]
        return [[F.squeeze(p, axis) for p in parts]]
    split = as_array(e.inputs[1])
    if split.ndim:
        return [parts_of(x, axis, split.tolist())]
    step = int(split)
    return [parts_of(x, axis, [min(step, size - k) for k in range(0, size, step)])]
