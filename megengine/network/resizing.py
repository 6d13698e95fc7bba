"""Sizes in attributes, for inputs of other sizes than those that an op was recorded with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from ..graph.value import Aval
from ..ops import shape as ops
from ..ops.op import Op
from ..ops.sized import FROM_NUMBERS

Sizes = tuple[int, ...]
RESIZABLE = frozenset([ops.reshape, ops.broadcast_to])


def resized(op: Op, attributes: dict[str, Any], before: Aval, now: Aval) -> dict[str, Any]:
    """The attributes of an op of which the operand was ``before`` when it was recorded, and is ``now``.

    A reshape keeps what it does with each dimension: those that it leaves alone follow the operand, and of several that one is
    divided into, the first does.
    """
    if op not in RESIZABLE or before.shape == now.shape or len(before.shape) != len(now.shape):
        return attributes
    change = _reshaped if op is ops.reshape else _broadcast
    return {**attributes, "shape": change(attributes["shape"], before.shape, now.shape)}


def sized(op: Op, attributes: dict[str, Any], operands: Sequence[Any]) -> dict[str, Any]:
    """The attributes of an op of :mod:`megengine.ops.sized`, by the numbers of its operands, which are computed for that."""
    name, read, find = FROM_NUMBERS[op]
    return {**attributes, name: find(operands[read].numpy(), operands[0].shape)}


def _reshaped(target: Sizes, before: Sizes, now: Sizes) -> Sizes:
    made: list[int] = []
    for own, theirs in _groups(before, target):
        old, new = prod(before[k] for k in own), prod(now[k] for k in own)
        sizes = [target[k] for k in theirs]
        first = next((k for k, n in enumerate(sizes) if n != 1), 0)
        if sizes and old and new != old and new * sizes[first] % old == 0:
            sizes[first] = new * sizes[first] // old
        made += sizes
    return tuple(made)


def _groups(before: Sequence[int], target: Sequence[int]) -> Iterator[tuple[range, range]]:
    """The smallest runs of dimensions that hold as many elements on both sides, from the left."""
    i = j = 0
    while i < len(before) or j < len(target):
        first, second = i, j
        own = theirs = 1
        if i < len(before):
            own, i = before[i], i + 1
        if j < len(target):
            theirs, j = target[j], j + 1
        while own != theirs and (i < len(before) or j < len(target)):
            if (own < theirs and i < len(before)) or j >= len(target):
                own, i = own * before[i], i + 1
            else:
                theirs, j = theirs * target[j], j + 1
        yield range(first, i), range(second, j)


def _broadcast(target: Sizes, before: Sizes, now: Sizes) -> Sizes:
    offset = len(target) - len(before)
    own = [n if b == t else t for b, n, t in zip(before, now, target[offset:], strict=True)]
    return (*target[:offset], *own)
