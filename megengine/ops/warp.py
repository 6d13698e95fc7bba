"""Images seen through a map of coordinates: remap, affine and perspective warps.

Warps of 1 to 3 interleaved channels follow OpenCV, as the reference does: coordinates are rounded to 1/32 of a pixel.
"""

from __future__ import annotations

from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import lax

from . import twofold
from .interpolate import cubic_weights
from .op import op
from .pixels import as_index, in_float32, pixels, rounded

BORDERS = ("replicate", "constant", "reflect", "reflect_101", "wrap")
_STEPS = 32
_FIXED_POINT = 15
# OpenCV keeps whole pixels in 16 bits.
_FARTHEST = (-(1 << 15), (1 << 15) - 1)
_TAPS = {"linear": 2, "cubic": 4, "lanczos4": 8}


def _lanczos_weights(t):
    """Lanczos' kernel of width 4 at the eight pixels around each fraction, normalised in float32."""
    place = (t.astype(np.float64)[:, None] + 3 - np.arange(8)) * (np.pi / 4)
    # sin(4 * place) * sin(place) without the first factor, which but for its sign is that of all eight.
    wave = np.sin(-place[:, :1] + np.arange(8) * (5 * np.pi / 4))
    with np.errstate(all="ignore"):
        weights = (wave / place**2).astype(np.float32)
    weights[0] = np.arange(8) == 3
    return weights * (1 / weights.cumsum(-1)[:, -1:])


@cache
def _table(mode):
    """Weights of the taps at each of the 32 fractions, ``(32, taps)``."""
    fractions = np.arange(_STEPS, dtype=np.float32) / np.float32(_STEPS)
    if mode == "linear":
        return np.stack([1 - fractions, fractions], -1)
    return cubic_weights(fractions) if mode == "cubic" else _lanczos_weights(fractions)


@cache
def _fixed_point_table(mode):
    """Weights of the square of taps for uint8, ``(32, 32, taps, taps)`` integers that sum to 2 ** 15."""
    one = _table(mode)
    taps = one.shape[1]
    exact = (one[:, None, :, None] * one[None, :, None, :]) * np.float32(1 << _FIXED_POINT)
    table = np.clip(np.rint(exact), -(1 << 15), (1 << 15) - 1).astype(np.int32)
    middle = slice(taps // 2, taps // 2 + 2)
    for entry in table.reshape(-1, taps, taps):
        # What rounding lost or added goes to the largest or smallest weight near the middle.
        surplus = entry.sum() - (1 << _FIXED_POINT)
        near = entry[middle, middle]
        at = near.argmax() if surplus < 0 else near.argmin()
        near[np.unravel_index(at, near.shape)] -= surplus
    return table


def _around(low, taps):
    """The indices of the taps around each coordinate, in a new last axis."""
    return low[..., None] + jnp.arange(1 - taps // 2, taps // 2 + 1)


def _square(image, low_y, low_x, taps, border, fill, layout):
    """The square of pixels around each coordinate: two new last axes (before the channels for NHWC)."""
    y, x = _around(low_y, taps)[..., :, None], _around(low_x, taps)[..., None, :]
    y, x = jnp.broadcast_arrays(y, x)
    return pixels(image, y, x, border, fill, layout)


def _weighted(square, wy, wx, layout):
    weights = wy[..., :, None] * wx[..., None, :]
    if layout == "NCHW":
        return (square * weights[:, None]).sum((-2, -1))
    return (square * weights[..., None]).sum((-3, -2))


def _bilinear(image, y, x, border, fill, layout):
    low_y, low_x = jnp.floor(y), jnp.floor(x)
    wy, wx = (jnp.stack([1 - t, t], -1) for t in (y - lax.stop_gradient(low_y), x - lax.stop_gradient(low_x)))
    low_y, low_x = as_index(low_y), as_index(low_x)
    channel = 1 if layout == "NCHW" else 3
    parts = [
        pixels(image, low_y + i, low_x + j, border, fill, layout) * jnp.expand_dims(wy[..., i] * wx[..., j], channel)
        for i in range(2)
        for j in range(2)
    ]
    return sum(parts[1:], parts[0])


def _check_remap(image, coordinates, fill, *, border, mode):
    if str(image.dtype) not in ("float32", "float16", "bfloat16", "int8", "uint8"):
        raise RuntimeError(f"remap takes float32, float16, int8 or uint8 images, not {image.dtype}")
    if str(coordinates.dtype) != "float32":
        raise RuntimeError(f"remap: map_xy must be float32, not {coordinates.dtype}")
    fits = image.ndim == coordinates.ndim == 4 and coordinates.shape[3] == 2
    if not fits or coordinates.shape[0] != image.shape[0]:
        raise RuntimeError(
            f"remap takes images (N, C, H, W) and coordinates (N, height, width, 2), "
            f"not shapes {image.shape} and {coordinates.shape}"
        )
    _check_not_empty("remap", image, image.shape[2:])


def _check_not_empty(name, image, plane):
    if 0 in plane:
        raise RuntimeError(f"{name}: images of shape {image.shape} have no pixels")


@op(differentiable=(True, True, False), check=_check_remap)
def remap(image, coordinates, fill, *, border, mode):
    x, y = coordinates[..., 0], coordinates[..., 1]
    fill = rounded(fill.astype(jnp.float32), image.dtype)
    if mode == "nearest":
        return pixels(image, as_index(jnp.rint(y)), as_index(jnp.rint(x)), border, fill, "NCHW")
    return rounded(_bilinear(in_float32(image), y, x, border, in_float32(fill), "NCHW"), image.dtype)


def like_opencv(image, layout):
    """Whether the reference hands such a warp to its OpenCV code."""
    return layout == "NHWC" and image.shape[3] in (1, 2, 3) and str(image.dtype) in ("float32", "uint8")


def _check_warp(image, matrix, fill, *, size, border, layout, mode):
    rows = matrix.shape[1] if matrix.ndim == 3 else 0
    if image.ndim != 4 or rows not in (2, 3) or matrix.shape[2] != 3 or image.shape[0] != matrix.shape[0]:
        raise RuntimeError(
            f"warp: images of shape {image.shape} ({layout}) and matrices of shape {matrix.shape} do not fit; "
            "it takes one matrix an image, (N, 2, 3) if affine and (N, 3, 3) if perspective"
        )
    if str(image.dtype) not in ("float32", "float16", "bfloat16", "int8", "uint8"):
        raise RuntimeError(f"warp takes float32, float16, int8 or uint8 images, not {image.dtype}")
    if str(matrix.dtype) not in ("float32", str(image.dtype)):
        raise RuntimeError(f"warp: the matrix of {image.dtype} images must be float32, not {matrix.dtype}")
    if mode != "linear" and not like_opencv(image, layout):
        raise RuntimeError(
            f"warp: interp_mode {mode!r} takes float32 or uint8 images with 1 to 3 channels in format NHWC; "
            f"these are {image.dtype}, {layout}, of shape {image.shape}"
        )
    if min(size) < 1:
        raise RuntimeError(f"warp: out_shape {size} must be at least 1 in each dimension")
    _check_not_empty("warp", image, image.shape[2:] if layout == "NCHW" else image.shape[1:3])


@op(differentiable=(True, True, False), check=_check_warp)
def warp(image, matrix, fill, *, size, border, layout, mode):
    """``out[n, y, x] = image[n] at matrix[n] @ (x, y, 1)``; a perspective matrix divides by its last row."""
    matrix, fill = in_float32(matrix), in_float32(fill)
    if like_opencv(image, layout):
        return _warp_in_steps(image, matrix, fill, size, border, mode)
    x, y, below = _transformed(matrix, size)
    bad = jnp.zeros_like(x, bool)
    if below is not None:
        bad = below == 0
        below = jnp.where(bad, 1, below)
        x, y = x / below, y / below
    bad = bad | ~(jnp.isfinite(x) & jnp.isfinite(y))
    x, y = jnp.where(bad, 0, x), jnp.where(bad, 0, y)
    out = _bilinear(in_float32(image), y, x, border, fill, layout)
    bad = jnp.expand_dims(bad, 1 if layout == "NCHW" else 3)
    if border == "constant":
        out = jnp.where(bad | ~jnp.isfinite(out), fill, out)
    else:
        out = jnp.where(bad, jnp.nan, out)
    return rounded(out, image.dtype)


def _grid(size):
    return jnp.arange(size[0], dtype=jnp.float32)[:, None], jnp.arange(size[1], dtype=jnp.float32)


def _transformed(matrix, size):
    """Source x and y of each pixel, and the divisor of a perspective matrix or None; each ``(N, height, width)``."""
    row, column = _grid(size)
    m = matrix[:, :, :, None, None]
    sums = [m[:, k, 0] * column + m[:, k, 1] * row + m[:, k, 2] for k in range(matrix.shape[1])]
    return sums[0], sums[1], sums[2] if len(sums) == 3 else None


def _steps(matrix, size, steps):
    """Source x and y in whole steps (32 or 1 a pixel), as the reference finds them in float64."""
    row, column = _grid(size)
    matrix = lax.stop_gradient(matrix)[:, :, :, None, None]

    def of_column(k):
        return twofold.product(matrix[:, k, 0], column)

    def of_row(k):
        shift = matrix[:, k, 2]
        return twofold.add(twofold.product(matrix[:, k, 1], row), (shift, jnp.zeros_like(shift)))

    if matrix.shape[1] == 3:
        x, y, below = (twofold.add(of_column(k), of_row(k)) for k in range(3))
        zero = below[0] == 0
        below = (jnp.where(zero, 1, below[0]), below[1])
        return [as_index(jnp.where(zero, 0, twofold.whole(twofold.ratio(v, below), steps))) for v in (x, y)]
    # OpenCV adds the rounded share of the row to that of the column, in 1/1024 of a pixel.
    shift = {_STEPS: 5, 1: 10}[steps]
    shares = [(as_index(twofold.whole(of_column(k), 1024)), as_index(twofold.whole(of_row(k), 1024))) for k in range(2)]
    return [(a + b + (1 << (shift - 1))) >> shift for a, b in shares]


def _warp_in_steps(image, matrix, fill, size, border, mode):
    exact_type = image.dtype
    if exact_type == jnp.uint8:
        fill = fill.astype(jnp.uint8)
    if mode == "nearest":
        x, y = (jnp.clip(v, *_FARTHEST) for v in _steps(matrix, size, 1))
        return pixels(image, y, x, border, fill, "NHWC")
    x, y = _steps(matrix, size, _STEPS)
    low_x, low_y = (jnp.clip(v >> 5, *_FARTHEST) for v in (x, y))
    taps = _TAPS[mode]
    if exact_type == jnp.uint8 and taps > 2:
        square = _square(image, low_y, low_x, taps, border, fill, "NHWC").astype(jnp.int32)
        weights = jnp.asarray(_fixed_point_table(mode))[y & 31, x & 31]
        total = (square * weights[..., None]).sum((-3, -2)) + (1 << (_FIXED_POINT - 1))
        return jnp.clip(total >> _FIXED_POINT, 0, 255).astype(jnp.uint8)
    square = _square(in_float32(image), low_y, low_x, taps, border, in_float32(fill), "NHWC")
    real_x, real_y, below = _transformed(matrix, size)
    if below is not None:
        below = jnp.where(below == 0, 1, below)
        real_x, real_y = real_x / below, real_y / below
    return rounded(_weighted(square, _shares(y, real_y, mode), _shares(x, real_x, mode), "NHWC"), exact_type)


def _shares(steps, real, mode):
    """Weights of the taps at a place in whole steps; the gradient is that at the real place."""
    if mode != "linear":
        return jnp.asarray(_table(mode))[steps & 31]
    fraction = (steps & 31) * np.float32(1 / _STEPS) + (real - lax.stop_gradient(real))
    return jnp.stack([1 - fraction, fraction], -1)
