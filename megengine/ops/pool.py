"""Pooling over sliding windows, and the windows themselves."""

from __future__ import annotations

from operator import add

import jax.numpy as jnp
import numpy as np

from . import promote, quantized
from .op import op
from .windows import along, folded, folded_in_order, out_size, padded, tied_along, trimmed, windows_of

# Windows of up to so many elements are summed to the bit as the reference does, larger ones with fewer operations.
MOST_IN_ORDER = 100


def check_windows(name, x, window, stride, padding, dilation=(1, 1)):
    """Refuse an input of other than four dimensions, and windows larger than it."""
    if x.ndim != 4:
        raise RuntimeError(f"{name}: the input must be (N, C, H, W), it has shape {x.shape}")
    sizes = zip(x.shape[2:], window, stride, padding, dilation, strict=True)
    if any(out_size(*s) < 1 for s in sizes):
        spread = f", dilation {dilation}" if set(dilation) != {1} else ""
        raise RuntimeError(
            f"{name}: a window of {tuple(window)}{spread} does not fit an input of shape {x.shape} with padding {tuple(padding)}"
        )


def _poolable(name, kinds):
    """Floats, int8 and what is quantised to 8 bits or less, as they are."""
    held = kinds[0]
    if held not in promote.FLOATS and held != np.int8 and not (quantized.is_quantized(held) and held == np.uint8):
        promote.refuse(name, kinds, "it takes floating-point values or int8")
    return kinds


def _check_pool(x, *, window, stride, padding):
    check_windows("pooling", x, window, stride, padding)


def _lowest(dtype):
    # Finite, as the reference's: a window that lies in the padding gives this.
    return np.array((jnp.finfo if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo)(dtype).min, dtype)


def _max_gradient(operands, out, ct, *, window, stride, padding):
    # A window's maximum is its columns' maxima's maximum, ties included: one dimension after the other.
    x = padded(operands[0], padding, _lowest(out.dtype))
    rows = along(x, 3, window[1], stride[1], jnp.maximum, jnp.max)
    ct = tied_along(rows, out, ct, 2, window[0], stride[0])
    return (trimmed(tied_along(x, rows, ct, 3, window[1], stride[1]), padding),)


@op(promote=_poolable, check=_check_pool, grad=_max_gradient, quantized=quantized.kept)
def max_pool(x, *, window, stride, padding):
    x = padded(x, padding, _lowest(x.dtype))
    x = along(x, 3, window[1], stride[1], jnp.maximum, jnp.max)
    return along(x, 2, window[0], stride[0], jnp.maximum, jnp.max)


def _sum(x, axis):
    return jnp.sum(x, axis, dtype=x.dtype)


def _inside(size, window, stride, padding):
    """How many elements of each window are not padding, at least 1."""
    start = np.arange(out_size(size, window, stride, padding)) * stride - padding
    return np.maximum(np.minimum(start + window, size) - np.maximum(start, 0), 1)


def _check_mean(x, *, window, stride, padding, **attrs):
    check_windows("pooling", x, window, stride, padding)


@op(promote=_poolable, check=_check_mean, quantized=quantized.kept)
def mean_pool(x, *, window, stride, padding, count_padding, rounds=False, zero=0):
    total = padded(x, padding, np.array(zero if count_padding else 0, x.dtype)).astype(jnp.float32)
    for axis, (w, s) in enumerate(zip(window, stride, strict=True), 2):
        total = along(total, axis, w, s, add, _sum)
    if count_padding:
        mean = total / (window[0] * window[1])
    else:
        high, wide = map(_inside, x.shape[2:], window, stride, padding)
        mean = total / np.float32(high[:, None] * wide)
    if x.dtype == jnp.int8:
        # As the reference: towards zero, or to the nearest and half away from zero.
        mean = jnp.trunc(mean + jnp.copysign(0.5, mean) if rounds or not count_padding else mean)
    elif x.dtype == jnp.uint8:
        mean = jnp.floor(mean + 0.5)
    return mean.astype(x.dtype)


def _check_sliding(x, *, window, padding, stride, dilation):
    check_windows("sliding_window", x, window, stride, padding, dilation)


@op(check=_check_sliding)
def sliding_window(x, *, window, padding, stride, dilation):
    return windows_of(x, window, stride, padding, dilation)


@op(promote=promote.numeric)
def sliding_window_transpose(x, *, size, padding, stride, dilation):
    around = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    if x.shape[4] * x.shape[5] <= MOST_IN_ORDER:
        return trimmed(folded_in_order(x, around, stride, dilation), padding)
    rows = folded([x[..., j] for j in range(x.shape[5])], 3, around[1], stride[1], dilation[1])
    rows = folded([rows[..., i] for i in range(rows.shape[4])], 2, around[0], stride[0], dilation[0])
    return trimmed(rows, padding)
