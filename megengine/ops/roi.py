"""Pooling of regions of interest: a fixed grid of values from boxes of any size."""

from __future__ import annotations

from math import prod

import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import linear_call

from .loops import fori_loop
from .op import op
from .pixels import divided


def _check_boxes(name, x, rois):
    if x.ndim != 4 or rois.ndim != 2 or rois.shape[1] != 5:
        raise RuntimeError(
            f"{name} takes images (N, C, H, W) and boxes (K, 5), an image's index and x1, y1, x2, y2; "
            f"not shapes {x.shape} and {rois.shape}"
        )
    if str(x.dtype) != "float32" or str(rois.dtype) != "float32":
        raise RuntimeError(
            f"{name} takes float32 images and boxes, not {x.dtype} and {rois.dtype}; convert with astype()"
        )
    if rois.shape[0] and 0 in (x.shape[0], *x.shape[2:]):
        raise RuntimeError(f"{name}: there are boxes, but the images of shape {x.shape} have no pixels")


def _boxes_in_batch(x, rois, **_):
    return jnp.all((rois[:, 0] > -1) & (rois[:, 0] < x.shape[0]))


_NO_IMAGE = "the first number of a box is not the index of an image"


def _check_roi_align(x, rois, *, size, points, mode, scale, offset):
    _check_boxes("roi_align", x, rois)


def _samples(start, end, bins, points, size):
    """Pixels before and after each sample of an axis, and the share of the latter: three arrays ``(K, bins * points)``."""
    step = divided(jnp.maximum(end - start, 0), bins)
    place = jnp.arange(bins)[:, None] + (jnp.arange(points) + 0.5) * (1 / max(points, 1))
    at = start[:, None] + step[:, None] * place.reshape(-1)
    low = jnp.floor(at)
    before = jnp.clip(low, -2, size + 1).astype(jnp.int32)
    return before, before + 1, at - low


@op(
    name="roi_align",
    differentiable=(True, False),
    check=_check_roi_align,
    valid=_boxes_in_batch,
    invalid=_NO_IMAGE,
)
def roi_align(x, rois, *, size, points, mode, scale, offset):
    channels, height, width = x.shape[1:]
    result = (rois.shape[0], channels, *size)
    if 0 in (*result, *points):
        return jnp.zeros(result, x.dtype)
    x1, y1, x2, y2 = (rois[:, k] * scale - offset for k in range(1, 5))
    top, bottom, down = _samples(y1, y2, size[0], points[0], height)
    left, right, across = _samples(x1, x2, size[1], points[1], width)
    # Channels last: what a sample reads is one row.
    rows = x.transpose(0, 2, 3, 1).reshape(-1, channels)
    first = rois[:, 0].astype(jnp.int32)[:, None, None] * (height * width)

    def corner(y, wy, x, wx):
        inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
        at = first + jnp.where(inside, y[:, :, None] * width + x[:, None, :], 0)
        weight = wy[:, :, None] * wx[:, None, :]
        pixel = jnp.take(rows, at, axis=0, mode="clip")
        return jnp.where(inside[..., None], pixel, 0) * weight[..., None]

    value = (
        corner(top, 1 - down, left, 1 - across)
        + corner(top, 1 - down, right, across)
        + corner(bottom, down, left, 1 - across)
        + corner(bottom, down, right, across)
    )
    value = value.reshape(-1, size[0], points[0], size[1], points[1], channels).transpose(0, 5, 1, 3, 2, 4)
    value = value.reshape(*result, prod(points))
    return value.mean(-1) if mode == "average" else _first_largest(value)


def _first_largest(x):
    """The maximum of the last axis; only the first of equal ones gets the gradient."""
    at = jnp.argmax(lax.stop_gradient(x), -1, keepdims=True)
    return jnp.take_along_axis(x, at, -1, mode="clip")[..., 0]


def _check_roi_pooling(x, rois, *, size, mode, scale):
    _check_boxes("roi_pooling", x, rois)
    if min(size) < 1:
        raise RuntimeError(f"roi_pooling: output_shape {size} must be at least 1 in each dimension")


def _bins(start, end, bins, size):
    """First pixel of each bin of each box along an axis, and the first one beyond it: two int32 arrays ``(K, bins)``."""
    start, end = (lax.round(v, lax.RoundingMethod.AWAY_FROM_ZERO)[:, None] for v in (start, end))
    step = divided(jnp.maximum(end - start + 1, 1), bins)
    number = jnp.arange(bins, dtype=jnp.float32)
    low, high = jnp.floor(number * step) + start, jnp.ceil((number + 1) * step) + start
    return tuple(jnp.clip(v, 0, size).astype(jnp.int32) for v in (low, high))


def _each_pixel(of, rows, columns, shape, visit, state):
    """``visit(state, at, inside)`` for every pixel of all bins, row by row.

    There are as many steps as the largest bin has pixels; ``at`` (K, bins, bins) are rows of the flat images, and count
    only where ``inside``.
    """
    height, width = shape
    (top, bottom), (left, right) = rows, columns
    wide = jnp.max(right - left)
    first = of[:, None, None] * (height * width)

    def step(number, state):
        y, x = top + number // wide, left + number % wide
        inside = (y < bottom)[:, :, None] & (x < right)[:, None, :]
        return visit(state, jnp.where(inside, first + y[:, :, None] * width + x[:, None, :], 0), inside[..., None])

    return fori_loop(0, jnp.max(bottom - top) * wide, step, state)


def _largest_at(images, of, rows, columns, shape):
    """Row of the first largest pixel of each bin in the flat images, ``(K, bins, bins, C)``."""

    def visit(state, at, inside):
        best, found = state
        pixel = jnp.take(images, at, axis=0, mode="clip")
        better = inside & (pixel > best)
        return jnp.where(better, pixel, best), jnp.where(better, at[..., None], found)

    result = (*rows[0].shape, columns[0].shape[1], images.shape[1])
    lowest = jnp.full(result, jnp.finfo(images.dtype).min, images.dtype)
    return _each_pixel(of, rows, columns, shape, visit, (lowest, jnp.zeros(result, jnp.int32)))[1]


def _sums(images, of, rows, columns, shape):
    """Sum of the pixels of each bin, ``(K, bins, bins, C)``; linear in the images, and its transpose is a loop too."""

    def gather(bins, images):
        of, rows, columns = bins

        def visit(state, at, inside):
            return state + jnp.where(inside, jnp.take(images, at, axis=0, mode="clip"), 0)

        start = jnp.zeros((*rows[0].shape, columns[0].shape[1], images.shape[1]), images.dtype)
        return _each_pixel(of, rows, columns, shape, visit, start)

    def scatter(bins, cotangent):
        of, rows, columns = bins

        def visit(state, at, inside):
            return state.at[at].add(jnp.where(inside, cotangent, 0), mode="clip")

        return _each_pixel(of, rows, columns, shape, visit, jnp.zeros(images.shape, images.dtype))

    return linear_call(gather, scatter, (of, rows, columns), images)


@op(
    name="roi_pooling",
    differentiable=(True, False),
    check=_check_roi_pooling,
    valid=_boxes_in_batch,
    invalid=_NO_IMAGE,
)
def roi_pooling(x, rois, *, size, mode, scale):
    channels, height, width = x.shape[1:]
    if 0 in (rois.shape[0], channels):
        return jnp.zeros((rois.shape[0], channels, *size), x.dtype)
    rows = _bins(rois[:, 2] * scale, rois[:, 4] * scale, size[0], height)
    columns = _bins(rois[:, 1] * scale, rois[:, 3] * scale, size[1], width)
    covered = (rows[1] - rows[0])[:, :, None, None] * (columns[1] - columns[0])[:, None, :, None]
    # Channels last: what a bin reads at one of its pixels is one row.
    images = x.transpose(0, 2, 3, 1).reshape(-1, channels)
    bins = (rois[:, 0].astype(jnp.int32), rows, columns, (height, width))
    if mode == "average":
        out = _sums(images, *bins) / jnp.maximum(covered, 1)
    else:
        at = _largest_at(lax.stop_gradient(images), *bins)
        largest = jnp.take(images.reshape(-1), at * channels + jnp.arange(channels), mode="clip")
        out = jnp.where(covered > 0, largest, 0)
    return out.transpose(0, 3, 1, 2)
