"""Sliding windows along one dimension at a time: what convolutions and poolings share."""

from __future__ import annotations

from functools import reduce
from itertools import product

import jax.numpy as jnp
from jax import lax


def out_size(size, window, stride, padding=0, dilation=1):
    """How many windows fit, in ints; less than 1 where none does."""
    return (size + 2 * padding - dilation * (window - 1) - 1) // stride + 1


def padded(x, padding, value=0):
    """``x`` with its last dimensions padded on both sides by a constant."""
    if not any(padding):
        return x
    return jnp.pad(x, [(0, 0)] * (x.ndim - len(padding)) + [(p, p) for p in padding], constant_values=value)


def trimmed(x, padding):
    """The inverse of :func:`padded`."""
    first = x.ndim - len(padding)
    for axis, p in enumerate(padding, first):
        x = lax.slice_in_dim(x, p, x.shape[axis] - p, axis=axis) if p else x
    return x


def taps(x, axis, window, stride, dilation=1):
    """For each position in the window the elements that all windows have there."""
    count = out_size(x.shape[axis], window, stride, 0, dilation)
    return [
        lax.slice_in_dim(x, i * dilation, i * dilation + (count - 1) * stride + 1, stride, axis) for i in range(window)
    ]


def windows_of(x, window, stride, padding, dilation):
    """``(N, C, *sizes)`` as windows ``(N, C, *counts, *window)``."""
    x = padded(x, padding)
    for axis, (w, s, d) in enumerate(zip(window, stride, dilation, strict=True), 2):
        tiles = _tiles(x, axis, w, s) if d == 1 else None
        x = jnp.stack(taps(x, axis, w, s, d), -1) if tiles is None else jnp.moveaxis(tiles, axis + 1, -1)
    return x


def folded(parts, axis, size, stride, dilation=1):
    """The transpose of :func:`taps`: each part added where it was taken from."""
    return reduce(jnp.add, (placed(p, axis, size, i * dilation, stride) for i, p in enumerate(parts)))


def folded_in_order(x, size, stride, dilation):
    """Windows ``(N, C, OH, OW, h, w)`` added where they were taken from, an earlier window before a later one."""
    total = jnp.zeros((*x.shape[:2], *size), x.dtype)
    for i, j in product(reversed(range(x.shape[4])), reversed(range(x.shape[5]))):
        rows = placed(x[..., i, j], 2, size[0], i * dilation[0], stride[0])
        total = total + placed(rows, 3, size[1], j * dilation[1], stride[1])
    return total


def placed(part, axis, size, start, stride):
    """Elements put ``stride`` apart from ``start`` on into zeros of a size."""
    end = start + (part.shape[axis] - 1) * stride + 1
    config = [(0, 0, 0)] * part.ndim
    config[axis] = (start, size - end, stride - 1)
    return lax.pad(part, jnp.zeros((), part.dtype), config)


def _tiles(x, axis, window, stride):
    """Windows that meet edge to edge as a dimension of their own; None where they do not."""
    if stride != window or x.shape[axis] % window:
        return None
    return x.reshape(*x.shape[:axis], x.shape[axis] // window, window, *x.shape[axis + 1 :])


def along(x, axis, window, stride, combine, reduction):
    """Windows along a dimension combined to one element each, by whichever loop is the shorter.

    Args:
        x: already padded.
        axis: the dimension.
        window: its size.
        stride: step between windows.
        combine: of two arrays.
        reduction: the same over a dimension, ``reduction(x, axis)``.
    """
    tiles = _tiles(x, axis, window, stride)
    if tiles is not None:
        return reduction(tiles, axis + 1)
    count = out_size(x.shape[axis], window, stride)
    if window <= count:
        return reduce(combine, taps(x, axis, window, stride))
    return jnp.stack([reduction(w, axis) for w in _each(x, axis, window, stride, count)], axis)


def _each(x, axis, window, stride, count):
    return [lax.slice_in_dim(x, j * stride, j * stride + window, axis=axis) for j in range(count)]


def tied_along(x, best, cotangent, axis, window, stride):
    """The gradient of windows' maxima or minima: all of it to every element that equals its window's.

    Args:
        x: what the maxima are of.
        best: the maxima.
        cotangent: their gradient.
        axis, window, stride: as in :func:`along`.
    """

    def share(part, best, cotangent):
        return jnp.where(part == best, cotangent, 0)

    tiles = _tiles(x, axis, window, stride)
    if tiles is not None:
        return share(tiles, jnp.expand_dims(best, axis + 1), jnp.expand_dims(cotangent, axis + 1)).reshape(x.shape)
    count = best.shape[axis]
    if window <= count:
        shares = [share(part, best, cotangent) for part in taps(x, axis, window, stride)]
        return folded(shares, axis, x.shape[axis], stride)
    parts = _each(x, axis, window, stride, count)
    bests, cotangents = _each(best, axis, 1, 1, count), _each(cotangent, axis, 1, 1, count)
    shares = [share(*each) for each in zip(parts, bests, cotangents, strict=True)]
    return reduce(jnp.add, (placed(s, axis, x.shape[axis], j * stride, 1) for j, s in enumerate(shares)))
