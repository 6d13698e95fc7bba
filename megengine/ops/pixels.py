"""What the image ops share: reading pixels at computed places, what lies beyond the border, rounding to the image's dtype."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from .sizes import reshaped

# Far outside any image, and safe to add to.
_FAR = 2.0**30


def in_float32(x):
    """Images are worked on in float32, whatever their dtype."""
    return x.astype(jnp.float32)


def rounded(x, dtype):
    """A result in the image's dtype: half away from zero and saturating for integers."""
    if x.dtype == dtype or jnp.issubdtype(dtype, jnp.floating):
        return x.astype(dtype)
    limits = jnp.iinfo(dtype)
    return jnp.clip(lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO), limits.min, limits.max).astype(dtype)


def divided(x, number):
    """``x / number`` correctly rounded: XLA would multiply by the reciprocal, were it to see that the divisor is one number."""
    return x / lax.optimization_barrier(jnp.full(x.shape, number, x.dtype))


def as_index(x):
    """A whole number held as a float, as an int32 that stays in range."""
    return jnp.clip(lax.stop_gradient(x), -_FAR, _FAR).astype(jnp.int32)


def within(index, size, border):
    """Indices moved into ``[0, size)`` as the border mode says, and which of them show the image (None: all).

    ``abcd`` continues as ``ddd`` (replicate), ``dcb`` (reflect), ``cba`` (reflect_101), ``abc`` (wrap) or a fixed value.
    """
    if border == "wrap":
        return index % size, None
    if border in ("reflect", "reflect_101"):
        twice = border == "reflect"
        period = max(2 * size if twice else 2 * size - 2, 1)
        index = index % period
        return jnp.minimum(index, period - twice - index), None
    inside = (index >= 0) & (index < size) if border == "constant" else None
    return jnp.clip(index, 0, size - 1), inside


def pixels(image, y, x, border, fill, layout):
    """``image[n, :, y, x]`` for ``y`` and ``x`` of shape ``(N, ...)``.

    Returns:
        ``(N, C, ...)`` for layout NCHW, ``(N, ..., C)`` for NHWC.
    """
    channels_first = layout == "NCHW"
    height, width = image.shape[2:] if channels_first else image.shape[1:3]
    y, inside_y = within(y, height, border)
    x, inside_x = within(x, width, border)
    flat = y * width + x
    channel = 0 if channels_first else flat.ndim - 1
    axis = 1 if channels_first else 0
    wide = (*image.shape[:2], -1) if channels_first else (image.shape[0], -1, image.shape[3])
    rows = reshaped(image, *wide)
    found = jax.vmap(lambda one, at: jnp.take(one, at, axis=axis, mode="clip"))(rows, flat)
    if border != "constant":
        return found
    inside = jnp.expand_dims(inside_y & inside_x, channel + 1)
    return jnp.where(inside, found, fill.astype(found.dtype))
