"""Convolutions as products of matrices, over as many of the windows at a time as the cache holds.

Which elements are copied, and into what, depends on the shape: the windows' elements for a forward convolution; each element's
shares in the results, for the gradient of a strided convolution's input; and for a kernel's gradient, which is a convolution by
windows almost as large as the input, the elements that meet each of its few results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from . import depthwise
from .matmul import matmul
from .products import exactly, narrowed, wide
from .rules import Equation, Run, rule
from .taps import Axis, steps, taps

Algorithm = Callable[[np.ndarray, np.ndarray, Sequence[Axis]], np.ndarray]

# Elements of a block of copied windows.
BLOCK = 1 << 20
# Products of so many columns are as fast as larger ones.
LONG = 4096
# From this size on, an image is a matrix worth a product of its own.
WIDE = 256


@rule("conv_general_dilated")
def conv_general_dilated(eqn: Equation) -> Run:
    params = eqn.params
    spec = params["dimension_numbers"]
    x_aval, w_aval = (v.aval for v in eqn.invars)
    out = eqn.outvars[0].aval
    dtype = np.dtype(out.dtype)
    x_shape, w_shape, y_shape = (
        [a.shape[d] for d in s] for a, s in ((x_aval, spec.lhs_spec), (w_aval, spec.rhs_spec), (out, spec.out_spec))
    )
    by_feature, by_batch = params["feature_group_count"], params["batch_group_count"]
    sizes = zip(x_shape[2:], w_shape[2:], y_shape[2:], strict=True)
    settings = zip(
        params["window_strides"], params["rhs_dilation"], params["padding"], params["lhs_dilation"], strict=True
    )
    axes = [Axis(*size, s, d, low, gap) for size, (s, d, (low, _), gap) in zip(sizes, settings, strict=True)]
    groups, pointlike = by_feature * by_batch, not axes
    axes = axes or [Axis(1, 1, 1)]
    channels = x_shape[1] // by_feature if by_feature > 1 else 0
    algorithm = choose(axes, channels, x_shape[0] // by_batch if by_batch > 1 else 0)
    depth = prod(w_shape[1:])
    back = np.argsort(spec.out_spec)

    def run(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        x, w = exactly(x, w, depth, dtype) if dtype.kind in "iu" else (x, wide(w, dtype))
        x, w = x.transpose(spec.lhs_spec), w.transpose(spec.rhs_spec)
        if pointlike:
            x, w = x[..., None], w[..., None]
        # (groups, images, channels, ...) and (groups, filters, channels, ...)
        if by_batch > 1:
            x = x.reshape(by_batch, -1, *x.shape[1:])
        else:
            x = x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(0, 1)
        w = w.reshape(groups, -1, *w.shape[1:])
        # (groups, filters, images, ...): a channel's elements lie together
        y = algorithm(x, w, axes)
        y = narrowed(y, dtype).reshape(-1, *y.shape[2:]).swapaxes(0, 1)
        return (y[..., 0] if pointlike else y).transpose(back)

    def zeros(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.zeros(out.shape, dtype)

    return run if x_aval.size and w_aval.size and out.size else zeros


def choose(axes: Sequence[Axis], channels: int, images: int) -> Algorithm:
    """The algorithm for windows of these sizes, and so many channels and images a group where there are several groups."""
    if channels == 1 and depthwise.suits(axes):
        return depthwise.by_rows
    if images == 1 and depthwise.suits([a.swapped() for a in axes]):
        return depthwise.kernel_by_rows
    elements, window, count = (prod(getattr(a, name) for a in axes) for name in ("size", "window", "count"))
    if window > count:
        return by_positions
    return by_elements if elements < count else by_windows


def by_windows(x: np.ndarray, w: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """The elements of each window in a column, and one product with all filters."""
    groups, images, channels = x.shape[:3]
    filters, counts = w.shape[1], [a.count for a in axes]
    w, order = _matrix_of_filters(w)
    y = np.empty((groups, filters, images, *counts), w.dtype)
    made = _alone(axes)
    each = channels * prod(a.window for a in axes)
    for g, n, p in _blocks(groups, images, counts, each, made):
        some = [axes[0].windows(p.start, p.stop), *axes[1:]]
        columns = _columns(x[g, n].swapaxes(1, 2), some, order, w.dtype)
        target = y[g, :, n, p]
        matmul(w[g], columns, out=target.reshape(*target.shape[:2], -1))
    return y


def by_positions(x: np.ndarray, w: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """For windows larger than the result: the elements that stand at a position in a column."""
    groups, images, channels = x.shape[:3]
    filters = w.shape[1]
    turned = [a.swapped() for a in axes]
    results = prod(a.window for a in turned)
    order = np.arange(results)
    y = np.zeros((groups, filters, images * results), w.dtype)
    sums = [a.count for a in turned]
    long = max(LONG // prod(sums), 1)
    for c in steps(channels, long):
        for p in steps(sums[0], sums[0] if long > 1 else max(LONG * 2 // prod(sums[1:]), 1)):
            some = [turned[0].windows(p.start, p.stop), *turned[1:]]
            shares = w[:, :, c, p]
            shares = shares.reshape(groups, filters, -1)
            length = shares.shape[-1]
            at_once = max(BLOCK // (results * length), 1)
            for g in steps(groups, max(at_once // images, 1)):
                for n in steps(images, at_once):
                    columns = _columns(x[g, n, c], some, order, y.dtype)
                    y[g, :, n.start * results : n.stop * results] += matmul(shares[g], columns.swapaxes(1, 2))
    return y.reshape(groups, filters, images, *(a.window for a in turned))


def by_elements(x: np.ndarray, w: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """For fewer elements than windows: each element's products with all filters, added up where they belong."""
    groups, images, channels = x.shape[:3]
    filters, window = w.shape[1], prod(a.window for a in axes)
    dtype = w.dtype
    w, order = _upright(w)
    # (groups, filters * window, channels)
    w = np.moveaxis(w, 2, -1).reshape(groups, -1, channels)
    y = np.zeros((groups, filters, images, *(a.count for a in axes)), dtype)
    sizes = [a.size for a in axes]
    for g, n, p in _blocks(groups, images, sizes, filters * window, False):
        some = [axes[0].elements(p.start, p.stop), *axes[1:]]
        elements = x[g, n, :, p].swapaxes(1, 2).astype(dtype, copy=False)
        elements = elements.reshape(*elements.shape[:2], -1)
        products = w[g] * elements if channels == 1 else matmul(w[g], elements)
        products = products.reshape((-1, filters, window, n.stop - n.start, p.stop - p.start, *sizes[1:]))
        target = y[g, :, n]
        for tap in taps(some):
            windows: Any = (..., *tap.windows)
            target[windows] += products[(slice(None), slice(None), order[tap.at], slice(None), *tap.elements)]
    return y


def _blocks(
    groups: int, images: int, sizes: Sequence[int], each: int, whole: bool
) -> Iterator[tuple[slice, slice, slice]]:
    """Groups, images and rows whose columns, of ``each`` elements, fill a block."""
    image = prod(sizes)
    if whole and image >= WIDE:
        # An image is a matrix as it is.
        yield from ((slice(0, groups), slice(n, n + 1), slice(0, sizes[0])) for n in range(images))
        return
    fitting = BLOCK // each // image
    rows = sizes[0] if fitting else max(BLOCK // each // prod(sizes[1:]), 1)
    for g in steps(groups, max(fitting // images, 1)):
        for n in steps(images, max(fitting, 1)):
            for p in steps(sizes[0], rows):
                yield g, n, p


def _alone(axes: Sequence[Axis]) -> bool:
    """Whether each window is one element, and each element a window."""
    return all(a.window == 1 and a.stride == a.gap and a.low == 0 and a.size == a.count for a in axes)


def _columns(x: np.ndarray, axes: Sequence[Axis], order: np.ndarray, dtype: Any) -> np.ndarray:
    """``(groups, channels, images, *sizes)`` as matrices ``(groups, channels * window, images * windows)``."""
    groups, channels, images = x.shape[:3]
    if _alone(axes):
        return x.reshape(groups, channels, -1).astype(dtype, copy=False)
    met = taps(axes)
    make = np.empty if len(met) == len(order) and all(tap.full for tap in met) else np.zeros
    columns = make((groups, channels, len(order), images, *(a.count for a in axes)), dtype)
    for tap in met:
        elements: Any = (..., *tap.elements)
        columns[(slice(None), slice(None), order[tap.at], slice(None), *tap.windows)] = x[elements]
    return columns.reshape(groups, channels * len(order), -1)


def _upright(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Filters whose dimensions are not seen in reverse, and where each position of their windows has gone."""
    forward = tuple(slice(None, None, -1 if s < 0 else 1) for s in w.strides[3:])
    window = w.shape[3:]
    order = np.arange(prod(window)).reshape(window)[forward].reshape(-1)
    behind: Any = (..., *forward)
    return w[behind], order


def _matrix_of_filters(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    w, order = _upright(w)
    return w.reshape(*w.shape[:2], -1), order
