"""Convolution and pooling at positions that are themselves computed."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from . import autocast, promote
from .conv import add_bias, check_bias, check_kernel, dense, promote_conv
from .op import op
from .sizes import reshaped
from .windows import out_size


def _promote_deformable(name, kinds):
    x, weight, _, _, *bias = kinds
    meet, _, *bias = promote_conv(name, [x, weight, *bias])
    return [meet, meet, promote.FLOAT32, promote.FLOAT32, *bias]


def _low_but_positions(wanted, low, high):
    x, weight, offset, mask, *bias = wanted
    return [*autocast.low([x, weight], low, high), offset, mask, *autocast.low(bias, low, high)]


def _check_deformable(x, weight, offset, mask, *bias, stride, padding, dilation, groups):
    name = "deformable_conv2d"
    kernel = check_kernel(name, x, weight, groups, 2)
    if x.shape[1] != groups * kernel[1]:
        raise RuntimeError(
            f"{name}: an input of shape {x.shape} has {x.shape[1]} channels, a weight of shape {weight.shape} takes "
            f"{groups * kernel[1]}"
        )
    sizes = tuple(out_size(*n) for n in zip(x.shape[2:], kernel[2:], stride, padding, dilation, strict=True))
    if min(sizes) < 1:
        raise RuntimeError(
            f"{name}: a window of {kernel[2:]} does not fit an input of shape {x.shape} with padding {padding}"
        )
    taps = kernel[2] * kernel[3]
    parts = offset.shape[1] // (2 * taps) if offset.ndim == 4 else 0
    if parts < 1 or x.shape[1] % parts or offset.shape != (x.shape[0], 2 * parts * taps, *sizes):
        raise RuntimeError(
            f"{name}: offset must be (N, 2 * parts * {taps}, {sizes[0]}, {sizes[1]}), where parts divides the "
            f"{x.shape[1]} channels, it has shape {offset.shape}"
        )
    if mask.shape != (x.shape[0], parts * taps, *sizes):
        raise RuntimeError(
            f"{name}: mask must be {(x.shape[0], parts * taps, *sizes)} beside an offset of shape {offset.shape}, "
            f"it has shape {mask.shape}"
        )
    check_bias(name, bias, (x.shape[0], kernel[0], *sizes))


def _bilinear(pick, y, x, size, axis, further):
    """Elements at positions between pixels, 0 beyond the edges; differentiable in the positions.

    Args:
        pick: ``pick(index)``, the elements at positions ``row * width + column``, their channels a new dimension.
        y, x: the positions, in pixels.
        size: height and width.
        axis: the dimension that ``pick`` adds.
        further: which neighbour is the other one at a fraction, ``further(fraction)``.
    """

    def picked(rows, columns):
        inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
        found = pick(jnp.where(inside, rows * size[1] + columns, 0))
        return jnp.where(jnp.expand_dims(inside, axis), found, 0)

    low_y, low_x = jnp.floor(y), jnp.floor(x)
    up, left = y - low_y, x - low_x
    # Clipped first: an offset may be anything, and a float beyond int32 has no integer.
    row, column = (jnp.clip(v, -2, n + 1).astype(jnp.int32) for v, n in ((low_y, size[0]), (low_x, size[1])))
    next_row, next_column = row + further(up), column + further(left)
    up, left = jnp.expand_dims(up, axis), jnp.expand_dims(left, axis)
    top = picked(row, column) * (1 - left) + picked(row, next_column) * left
    bottom = picked(next_row, column) * (1 - left) + picked(next_row, next_column) * left
    return top * (1 - up) + bottom * up


def _grid(count, stride, padding, window, dilation):
    """Where each window of a dimension looks: ``(window, count)``."""
    return jnp.float32(np.arange(count) * stride - padding + np.arange(window)[:, None] * dilation)


@op(promote=_promote_deformable, check=_check_deformable, autocast=_low_but_positions)
def deformable_conv2d(x, weight, offset, mask, *bias, stride, padding, dilation, groups):
    kernel = dense(weight, groups)
    batch, channels, *size = x.shape
    (h, w), (high, wide) = kernel.shape[2:], offset.shape[2:]
    parts = offset.shape[1] // (2 * h * w)
    moved = offset.reshape(batch, parts, h, w, 2, high, wide)
    down = moved[..., 0, :, :] + _grid(high, stride[0], padding[0], h, dilation[0])[:, None, :, None]
    across = moved[..., 1, :, :] + _grid(wide, stride[1], padding[1], w, dilation[1])[None, :, None, :]
    flat = reshaped(x.astype(jnp.float32), batch, parts, channels // parts, -1)

    def pick(index):
        found = jnp.take_along_axis(flat, reshaped(index, batch, parts, 1, -1), 3)
        return found.reshape(*flat.shape[:3], *index.shape[2:])

    seen = _bilinear(pick, down, across, size, 2, lambda fraction: 1) * mask.reshape(batch, parts, 1, h, w, high, wide)
    seen = seen.reshape(batch, groups, channels // groups, h, w, high, wide)
    grouped = reshaped(kernel, groups, -1, *kernel.shape[1:]).astype(jnp.float32)
    out = jnp.einsum("ngcijyx,gocij->ngoyx", seen, grouped)
    return add_bias(reshaped(out, batch, -1, high, wide).astype(x.dtype), bias)


def _promote_psroi(name, kinds):
    return [promote.float_only(name, kinds[:1])[0], promote.FLOAT32, promote.FLOAT32]


def _check_psroi(x, rois, trans, *, still, part, pooled, samples, scale, spread):
    name = "deformable_psroi_pooling"
    if x.ndim != 4 or rois.ndim != 2 or rois.shape[1] != 5:
        raise RuntimeError(
            f"{name}: the input must be (N, C, H, W) and rois (R, 5), they have shapes {x.shape} and {rois.shape}"
        )
    if rois.shape[0] and 0 in (x.shape[0], *x.shape[2:]):
        raise RuntimeError(f"{name}: there are regions, but the images of shape {x.shape} have no pixels")
    if trans.ndim != 4 or (not still and (trans.shape[1:] != (2, *pooled) or trans.shape[0] < rois.shape[0])):
        raise RuntimeError(f"{name}: trans must be {(rois.shape[0], 2, *pooled)}, it has shape {trans.shape}")
    if not still and not 1 <= part <= min(pooled):
        raise RuntimeError(f"{name}: part_size must be from 1 to {min(pooled)}, not {part}")


def _rois_within(x, rois, trans, **attrs):
    return jnp.all((rois[:, 0] >= 0) & (rois[:, 0] < x.shape[0]))


def _rounded(x):
    return jnp.sign(x) * jnp.floor(jnp.abs(x) + 0.5)


def _moves(trans, count, part, pooled):
    """Each bin's own move ``(R, 2, ph, pw)``."""
    rows, columns = (np.arange(n) * part // n for n in pooled)
    return trans[:count][:, :, rows][:, :, :, columns]


def _samples(first, size, pooled, samples):
    """Where bins of a dimension are sampled, before they move: ``(R, pooled, samples)``."""
    within = np.arange(pooled)[:, None] + np.arange(samples) / samples
    return first[:, None, None] + jnp.float32(within / pooled) * size[:, None, None]


@op(
    differentiable=(True, False, True),
    promote=_promote_psroi,
    check=_check_psroi,
    valid=_rois_within,
    invalid="a region names an image that is not in the batch",
)
def deformable_psroi_pooling(x, rois, trans, *, still, part, pooled, samples, scale, spread):
    channels, high, wide = x.shape[1:]
    corner = _rounded(rois[:, 1:3]) * scale - 0.5
    size = jnp.maximum((_rounded(rois[:, 3:5]) + 1) * scale - 0.5 - corner, 0.1)
    # (R, ph, pw, samples down, samples across)
    across = _samples(corner[:, 0], size[:, 0], pooled[1], samples)[:, None, :, None, :]
    down = _samples(corner[:, 1], size[:, 1], pooled[0], samples)[:, :, None, :, None]
    if not still:
        moves = _moves(trans, rois.shape[0], part, pooled) * (spread * size)[:, :, None, None]
        across, down = across + moves[:, 0, :, :, None, None], down + moves[:, 1, :, :, None, None]
    down, across = jnp.broadcast_arrays(down, across)
    counted = (across >= -0.5) & (across <= wide - 0.5) & (down >= -0.5) & (down <= high - 0.5)
    flat = reshaped(x.astype(jnp.float32).swapaxes(0, 1), channels, -1)
    image = rois[:, 0].astype(jnp.int32)[:, None, None, None, None] * (high * wide)
    seen = _bilinear(
        lambda index: flat[:, image + index],
        jnp.clip(down, 0, high - 1),
        jnp.clip(across, 0, wide - 1),
        (high, wide),
        0,
        # On a pixel the reference takes that pixel for both neighbours: no slope there.
        lambda fraction: (fraction > 0).astype(jnp.int32),
    )
    total = jnp.where(counted, seen, 0).sum((4, 5)).swapaxes(0, 1)
    return (total / jnp.maximum(counted.sum((3, 4)), 1)[:, None]).astype(x.dtype)
