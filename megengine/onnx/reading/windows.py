"""Convolutions and poolings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from ... import functional as F
from ...graph.apply import apply
from ...ops.conv import conv, conv_transpose
from ...ops.pool import max_pool, mean_pool
from ...tensor import Tensor
from .rules import Node, computes
from .shaping import padded

Pads = list[tuple[int, int]]


class Windows:
    """Where the windows of a node lie, dimension by dimension.

    Attributes:
        size, strides, dilations: of the windows.
        pads: before and after; with ``ceil`` also what a last window reads beyond them.
        declared: before and after, as the node has them.
    """

    def __init__(self, e: Node, spatial: Sequence[int], size: Sequence[int]) -> None:
        rank = len(spatial)
        self.size = list(size)
        self.strides = e.get("strides") or [1] * rank
        self.dilations = e.get("dilations") or [1] * rank
        self.pads = self.declared = _pads(e, spatial, self.size, self.strides, self.dilations)
        if e.get("ceil_mode", 0):
            self.pads = [self._ceiled(k, n) for k, n in enumerate(spatial)]
        self.counts = [(n + sum(self.pads[k]) - self.reach(k)) // self.strides[k] + 1 for k, n in enumerate(spatial)]

    def reach(self, k: int) -> int:
        """How far a window extends."""
        return self.dilations[k] * (self.size[k] - 1) + 1

    def _ceiled(self, k: int, n: int) -> tuple[int, int]:
        before, after = self.declared[k]
        count = -(-(n + before + after - self.reach(k)) // self.strides[k]) + 1
        if (count - 1) * self.strides[k] >= n + before:  # a window has to begin within the input
            count -= 1
        return before, max(after, (count - 1) * self.strides[k] + self.reach(k) - n - before)

    @property
    def is_even(self) -> bool:
        """Whether both sides are padded alike."""
        return all(a == b for a, b in self.pads)


def _pads(e: Node, spatial: Sequence[int], size: Any, strides: Any, dilations: Any) -> Pads:
    auto = e.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        given = e.get("pads") or [0] * 2 * len(spatial)
        return list(zip(given[: len(spatial)], given[len(spatial) :], strict=True))
    if auto == "VALID":
        return [(0, 0)] * len(spatial)
    found = []
    for n, w, s, d in zip(spatial, size, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + d * (w - 1) + 1 - n, 0)
        half = total // 2
        found.append((half, total - half) if auto == "SAME_UPPER" else (total - half, half))
    return found


def _grouped(weight: Tensor, groups: int) -> Tensor:
    return weight if groups == 1 else F.reshape(weight, (groups, weight.shape[0] // groups, *weight.shape[1:]))


@computes("Conv")
def _conv(e: Node) -> Any:
    x, weight = e.tensor(0), e.tensor(1)
    return convolved(e, x, weight, [e.tensor(2)] if e.has(2) else [])


def convolved(e: Node, x: Tensor, weight: Tensor, bias: list[Tensor]) -> Tensor:
    """The convolution that a node describes."""
    rank = x.ndim - 2
    of = Windows(e, x.shape[2:], weight.shape[2:])
    if not of.is_even:
        x, of.pads = padded(x, [(0, 0), (0, 0), *of.pads]), [(0, 0)] * rank
    groups = e.get("group", 1)
    across = [F.reshape(b, (1, -1, *[1] * rank)) for b in bias]
    padding = tuple(a for a, _ in of.pads)
    return apply(
        conv, x, _grouped(weight, groups), *across, stride=tuple(of.strides), padding=padding,
        dilation=tuple(of.dilations), groups=groups,
    )  # fmt: skip


@computes("ConvTranspose")
def _conv_transpose(e: Node) -> Any:
    x, weight = e.tensor(0), e.tensor(1)
    rank, groups = x.ndim - 2, e.get("group", 1)
    strides, dilations = e.get("strides") or [1] * rank, e.get("dilations") or [1] * rank
    extra = e.get("output_padding") or [0] * rank
    reach = [d * (w - 1) + 1 for d, w in zip(dilations, weight.shape[2:], strict=True)]
    full = [s * (n - 1) + p + r for s, n, p, r in zip(strides, x.shape[2:], extra, reach, strict=True)]
    pads = _transposed_pads(e, x.shape[2:], strides, full)
    bias = [F.reshape(e.tensor(2), (1, -1, *[1] * rank))] if e.has(2) else []
    # The whole result, of which the padding is then cut off.
    y = apply(
        conv_transpose, x, _grouped(weight, groups), stride=tuple(strides), padding=(0,) * rank, dilation=tuple(dilations),
        extra=tuple(extra), groups=groups,
    )  # fmt: skip
    y = padded(y, [(0, 0), (0, 0), *((-a, -b) for a, b in pads)])
    return y + bias[0] if bias else y


def _transposed_pads(e: Node, spatial: Any, strides: Any, full: list[int]) -> Pads:
    auto, shape = e.get("auto_pad", "NOTSET"), e.get("output_shape")
    if shape is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        given = e.get("pads") or [0] * 2 * len(full)
        return list(zip(given[: len(full)], given[len(full) :], strict=True))
    target = shape[-len(full) :] if shape is not None else [n * s for n, s in zip(spatial, strides, strict=True)]
    found = []
    for have, want in zip(full, target, strict=True):
        total = have - want
        half = total // 2
        found.append((half, total - half) if auto == "SAME_UPPER" else (total - half, half))
    return found


def _taps(x: Tensor, of: Windows, fill: float) -> list[Tensor]:
    """For each place in the window the elements that all windows have there."""
    x = padded(x, [(0, 0), (0, 0), *of.pads], "constant", fill)
    found = []
    for place in product(*map(range, of.size)):
        index: list[Any] = [slice(None), slice(None)]
        for k, p in enumerate(place):
            start = p * of.dilations[k]
            index.append(slice(start, start + (of.counts[k] - 1) * of.strides[k] + 1, of.strides[k]))
        found.append(x[tuple(index)])
    return found


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


@computes("MaxPool")
def _max_pool(e: Node) -> Any:
    x = e.tensor()
    of = Windows(e, x.shape[2:], e.get("kernel_shape"))
    if e.count > 1:
        return _max_with_places(e, x, of)
    if x.ndim == 4 and of.is_even and set(of.dilations) == {1} and (x.dtype.kind == "f" or x.dtype == np.int8):
        if all(p < w for (p, _), w in zip(of.pads, of.size, strict=True)):
            pads = tuple(a for a, _ in of.pads)
            return apply(max_pool, x, window=tuple(of.size), stride=tuple(of.strides), padding=pads)
    found, *rest = _taps(x, of, _lowest(x.dtype))
    for tap in rest:
        found = F.maximum(found, tap)
    return found


def _max_with_places(e: Node, x: Tensor, of: Windows) -> Any:
    """Also where in the tensor each maximum lies, the first of equal ones."""
    spatial = x.shape[2:]
    count = int(np.prod(spatial))
    numbers = np.arange(count).reshape(spatial)
    if e.get("storage_order", 0):
        numbers = np.arange(count).reshape(spatial[::-1]).T
    places = Tensor(np.ascontiguousarray(np.broadcast_to(numbers, x.shape), np.int32))
    values, where = _taps(x, of, _lowest(x.dtype)), _taps(places, of, 0)
    best, at = values[0], where[0]
    for value, place in zip(values[1:], where[1:], strict=True):
        better = value > best
        best, at = F.where(better, value, best), F.where(better, place, at)
    first = Tensor(
        (np.arange(x.shape[0] * x.shape[1], dtype=np.int32) * count).reshape(*x.shape[:2], *[1] * len(spatial))
    )
    return best, at + first


@computes("AveragePool")
def _average_pool(e: Node) -> Any:
    x = e.tensor()
    of, counted = Windows(e, x.shape[2:], e.get("kernel_shape")), bool(e.get("count_include_pad", 0))
    plain = of.is_even and of.pads == of.declared and set(of.dilations) == {1}
    if x.ndim == 4 and plain and x.dtype.kind == "f":
        pads = tuple(a for a, _ in of.pads)
        return apply(mean_pool, x, window=tuple(of.size), stride=tuple(of.strides), padding=pads, count_padding=counted)
    total, *rest = _taps(x, of, 0)
    for tap in rest:
        total = total + tap
    return total / Tensor(_elements(x.shape[2:], of, counted).astype(np.float32))


def _elements(spatial: Any, of: Windows, counted: bool) -> np.ndarray:
    """How many elements each window has."""
    total = np.ones((), np.int64)
    for k, n in enumerate(spatial):
        before, after = of.declared[k]
        places = (
            np.arange(of.counts[k])[:, None] * of.strides[k] + np.arange(of.size[k]) * of.dilations[k] - of.pads[k][0]
        )
        low, high = (-before, n + after) if counted else (0, n)
        inside = np.maximum(((places >= low) & (places < high)).sum(1), 1)
        total = total[..., None] * inside
    return total


@computes("GlobalAveragePool")
def _global_average_pool(e: Node) -> Any:
    x = e.tensor()
    return F.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True).astype(x.dtype)


@computes("GlobalMaxPool")
def _global_max_pool(e: Node) -> Any:
    x = e.tensor()
    return F.max(F.reshape(x, (*x.shape[:2], -1)), axis=2).reshape(*x.shape[:2], *[1] * (x.ndim - 2))


@computes("LpPool", "GlobalLpPool")
def _lp_pool(e: Node) -> Any:
    x, p = e.tensor(), e.get("p", 2)
    of = Windows(e, x.shape[2:], e.get("kernel_shape") or x.shape[2:])
    total, *rest = (F.abs(tap) ** p for tap in _taps(x, of, 0))
    for tap in rest:
        total = total + tap
    return total ** (1 / p)


@computes("MaxUnpool", host=[2])
def _max_unpool(e: Node) -> Any:
    x, places = e.tensor(0), e.tensor(1)
    size = e.get("kernel_shape")
    strides = e.get("strides") or [1] * len(size)
    pads = e.get("pads") or [0] * 2 * len(size)
    inferred = [
        (n - 1) * s + w - pads[k] - pads[k + len(size)]
        for k, (n, s, w) in enumerate(zip(x.shape[2:], strides, size, strict=True))
    ]
    flat = F.zeros(int(np.prod([*x.shape[:2], *inferred])), dtype=x.dtype)
    made = F.reshape(F.scatter(flat, 0, F.flatten(places), F.flatten(x)), (*x.shape[:2], *inferred))
    if not e.has(2):
        return made
    wanted = [int(n) for n in e.host(2)]
    return padded(made, [(0, want - have) for have, want in zip(made.shape, wanted, strict=True)])
