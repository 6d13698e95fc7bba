"""Pooling of regions of interest: a fixed grid of values from boxes of any size."""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from .op import op

# How many elements the boxes that are pooled side by side may take; a loop goes over the rest.
_SIDE_BY_SIDE = 1 << 22


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
    if rois.shape[0] and 0 in x.shape:
        raise RuntimeError(f"{name}: there are boxes, but the images of shape {x.shape} have no pixels")


def _boxes_in_batch(x, rois, **_):
    return jnp.all((rois[:, 0] > -1) & (rois[:, 0] < x.shape[0]))


_NO_IMAGE = "the first number of a box is not the index of an image"


def _check_roi_align(x, rois, *, size, points, mode, scale, offset):
    _check_boxes("roi_align", x, rois)


def _samples(start, end, bins, points, size):
    """Pixels before and after each sample of an axis, and the share of the latter: three arrays ``(K, bins * points)``."""
    step = jnp.maximum(end - start, 0) / bins
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
    """Which pixels of an axis each bin of each box covers: bools ``(K, bins, size)``."""
    start, end = (lax.round(v, lax.RoundingMethod.AWAY_FROM_ZERO) for v in (start, end))
    step = jnp.maximum(end - start + 1, 1) / bins
    number = jnp.arange(bins, dtype=jnp.float32)
    low = jnp.floor(number * step[:, None]) + start[:, None]
    high = jnp.ceil((number + 1) * step[:, None]) + start[:, None]
    pixel = jnp.arange(size, dtype=jnp.float32)
    return (pixel >= low[..., None]) & (pixel < high[..., None])


def _largest_at(image, rows, columns):
    """Index of the first largest pixel of each bin in a flat image, ``(C, bins, bins)``."""
    inside = jnp.where(columns, image[:, :, None, :], -jnp.inf)
    column = jnp.argmax(inside, -1)
    best = jnp.where(rows[:, None, :], jnp.max(inside, -1).transpose(0, 2, 1)[:, None], -jnp.inf)
    row = jnp.argmax(best, -1)
    column = jnp.take_along_axis(column.transpose(0, 2, 1)[:, None], row[..., None], -1, mode="clip")[..., 0]
    return row * image.shape[-1] + column


def _sum_of(image, rows, columns):
    """Sum of the pixels of each bin, ``(C, bins, bins)``."""
    across = jnp.where(columns, image[:, :, None, :], 0).sum(-1)
    return jnp.where(rows[:, None, :], across.transpose(0, 2, 1)[:, None], 0).sum(-1)


@op(
    name="roi_pooling",
    differentiable=(True, False),
    check=_check_roi_pooling,
    valid=_boxes_in_batch,
    invalid=_NO_IMAGE,
)
def roi_pooling(x, rois, *, size, mode, scale):
    channels, height, width = x.shape[1:]
    result = (rois.shape[0], channels, *size)
    if 0 in result:
        return jnp.zeros(result, x.dtype)
    of = rois[:, 0].astype(jnp.int32)
    rows = _bins(rois[:, 2] * scale, rois[:, 4] * scale, size[0], height)
    columns = _bins(rois[:, 1] * scale, rois[:, 3] * scale, size[1], width)
    covered = rows.sum(-1)[:, None, :, None] * columns.sum(-1)[:, None, None, :]
    together = min(max(_SIDE_BY_SIDE // prod(x.shape[1:]), 1), rois.shape[0])

    def each_box(function, image):
        def one(box):
            return function(jnp.take(image, box[0], axis=0, mode="clip"), *box[1:])

        return lax.map(one, (of, rows, columns), batch_size=together)

    if mode == "average":
        return each_box(jax.checkpoint(_sum_of), x) / jnp.maximum(covered, 1)
    at = each_box(_largest_at, lax.stop_gradient(x))
    plane = (of[:, None] * channels + jnp.arange(channels))[..., None, None]
    largest = jnp.take(x.reshape(-1), plane * (height * width) + at, mode="clip")
    return jnp.where(covered > 0, largest, 0)
