"""Resizing by interpolation along each axis: the positions and weights depend on sizes alone, so NumPy works them out."""

from __future__ import annotations

from functools import lru_cache

import jax.numpy as jnp
import numpy as np

from . import quantized
from .op import op
from .pixels import in_float32, rounded

_CUBIC = np.float32(-0.75)


def cubic_weights(t):
    """Keys' convolution kernel (a = -0.75) at the four pixels around a fraction, shape ``(..., 4)``."""
    a, one = _CUBIC, np.float32(1)
    first = ((a * (t + one) - 5 * a) * (t + one) + 8 * a) * (t + one) - 4 * a
    second = ((a + 2) * t - (a + 3)) * t * t + one
    third = ((a + 2) * (one - t) - (a + 3)) * (one - t) * (one - t) + one
    return np.stack([first, second, third, one - first - second - third], -1)


def _sources(old, new, corners):
    """Where each new pixel lies among the old ones, in float32."""
    index = np.arange(new, dtype=np.float32)
    if corners:
        return index * np.float32((old - 1) / (new - 1) if new > 1 else 0)
    return (index + np.float32(0.5)) / (np.float32(new) / np.float32(old)) - np.float32(0.5)


@lru_cache(maxsize=256)
def _taps(old, new, mode, corners):
    """For each new pixel the old pixels it is made of, and their weights: two arrays ``(new, k)``."""
    if mode == "nearest":
        scale = np.float32(new) / np.float32(old)
        index = np.minimum((np.arange(new, dtype=np.float32) / scale).astype(np.int32), old - 1)
        return index[:, None], np.ones((new, 1), np.float32)
    source = _sources(old, new, corners)
    low = np.floor(source)
    fraction = source - low
    if mode == "cubic":
        offsets, weights = np.arange(-1, 3), cubic_weights(fraction)
    else:
        offsets, weights = np.arange(2), np.stack([np.float32(1) - fraction, fraction], -1)
    index = np.clip(low.astype(np.int32)[:, None] + offsets, 0, old - 1).astype(np.int32)
    return index, weights.astype(np.float32)


def _resized(x, axis, new, mode, corners):
    old = x.shape[axis]
    if mode == "nearest" and new % old == 0:
        return jnp.repeat(x, new // old, axis)
    index, weights = _taps(old, new, mode, corners)
    if mode == "nearest":
        return jnp.take(x, index[:, 0], axis=axis, mode="clip")
    shape = [1] * x.ndim
    shape[axis] = new
    parts = [jnp.take(x, i, axis=axis, mode="clip") * w.reshape(shape) for i, w in zip(index.T, weights.T, strict=True)]
    return sum(parts[1:], parts[0])


def _check(x, *, sizes, mode, corners):
    if str(x.dtype) not in ("float32", "int8", "uint8"):
        raise RuntimeError(f"interpolate takes float32, float16, int8 or uint8, not {x.dtype}; convert with astype()")
    old = x.shape[x.ndim - len(sizes) :]
    if 0 in old:
        raise RuntimeError(f"interpolate: an image of shape {x.shape} has no pixels")
    if min(sizes) < 1:
        raise RuntimeError(f"interpolate: the new size {sizes} must be at least 1 in each dimension")


@op(check=_check, quantized=quantized.kept)
def resize(x, *, sizes, mode, corners):
    """The last ``len(sizes)`` dimensions resized; mode ``nearest``, ``linear`` or ``cubic``."""
    first = x.ndim - len(sizes)
    y = x if mode == "nearest" else in_float32(x)
    for k, new in enumerate(sizes):
        if new != x.shape[first + k]:
            y = _resized(y, first + k, new, mode, corners)
    return rounded(y, x.dtype)
