"""Colour spaces, and the correlation of two feature maps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from .loops import map_each
from .op import op
from .pixels import divided

_PERMUTED = {"RGB2BGR": (2, 1, 0), "BGR2RGB": (2, 1, 0), "RGBA2RGB": (0, 1, 2), "RGBA2BGR": (2, 1, 0)}
_GREY = {"RGB2GRAY": (0, 1, 2), "BGR2GRAY": (2, 1, 0), "RGBA2GRAY": (0, 1, 2)}
# Modes whose planes lie below each other: order of the chroma values, and whether each has a plane of its own.
_CHROMA = {"NV12": ("UV", False), "NV21": ("VU", False), "YU12": ("UV", True), "YV12": ("VU", True)}
PLANAR = {
    **{f"YUV2{to}_{form}": form for to in ("GRAY", "RGB", "BGR") for form in _CHROMA},
    **{f"BT601_YUV2{to}_{form}": form for to in ("RGB", "BGR") for form in _CHROMA},
    "YCrCb2RGB": "NV21",
    "YCrCb2BGR": "NV21",
}
MODES = (*_PERMUTED, *_GREY, "GRAY2RGB", "RGB2YUV", "YUV2RGB", *PLANAR)
_FLOAT_MODES = ("RGB2GRAY", "BGR2GRAY", "GRAY2RGB", "RGB2YUV", "YUV2RGB", *_PERMUTED)


def _check_cvt_color(x, *, mode):
    if x.ndim != 4:
        raise RuntimeError(f"cvt_color takes images (N, H, W, C), not shape {x.shape}")
    channels = 1 if mode in PLANAR or mode == "GRAY2RGB" else 4 if mode.startswith("RGBA") else 3
    if x.shape[3] != channels:
        raise RuntimeError(
            f"cvt_color: mode {mode} takes {channels} channels (the last dimension), not shape {x.shape}"
        )
    if mode in PLANAR:
        rows = 6 if _CHROMA[PLANAR[mode]][1] else 3
        if x.shape[1] % rows or x.shape[2] % 2:
            raise RuntimeError(
                f"cvt_color: mode {mode} needs a height that is a multiple of {rows} and an even width, not {x.shape}"
            )
    allowed = ("uint8", "float32") if mode in _FLOAT_MODES else ("uint8",)
    if str(x.dtype) not in allowed:
        raise RuntimeError(f"cvt_color: mode {mode} takes {' or '.join(allowed)}, not {x.dtype}")


@op(check=_check_cvt_color)
def cvt_color(x, *, mode):
    if mode in _PERMUTED:
        return jnp.stack([x[..., k] for k in _PERMUTED[mode]], -1)
    if mode == "GRAY2RGB":
        return jnp.broadcast_to(x, (*x.shape[:3], 3))
    whole = x.dtype == jnp.uint8
    if mode in PLANAR:
        out = _from_planes(x, mode)
    elif mode in _GREY:
        out = _grey([x[..., k] for k in _GREY[mode]], whole)
    else:
        first, second, third = (x[..., k] for k in range(3))
        convert = _to_yuv if mode == "RGB2YUV" else _from_yuv
        out = convert(first, second, third, whole)
    return jnp.clip(out, 0, 255).astype(x.dtype) if whole else out


def _descaled(x):
    """A product with a coefficient times 2 ** 14, rounded."""
    return (x + (1 << 13)) >> 14


def _grey(rgb, whole):
    red, green, blue = rgb
    if whole:
        red, green, blue = (c.astype(jnp.int32) for c in rgb)
        return _descaled(red * 4899 + green * 9617 + blue * 1868)[..., None]
    return (red * 0.299 + green * 0.587 + blue * 0.114)[..., None]


def _to_yuv(first, second, third, whole):
    if not whole:
        y = first * 0.114 + second * 0.587 + third * 0.299
        return jnp.stack([y, (first - y) * 0.492 + 0.5, (third - y) * 0.877 + 0.5], -1)
    first, second, third = (c.astype(jnp.int32) for c in (first, second, third))
    y = _descaled(first * 1868 + second * 9617 + third * 4899)
    half = 128 << 14
    return jnp.stack([y, _descaled((first - y) * 8061 + half), _descaled((third - y) * 14369 + half)], -1)


def _from_yuv(y, u, v, whole):
    if not whole:
        u, v = u - 0.5, v - 0.5
        return jnp.stack([y + u * 2.032, y + v * -0.581 + u * -0.395, y + v * 1.14], -1)
    y, u, v = y.astype(jnp.int32), u.astype(jnp.int32) - 128, v.astype(jnp.int32) - 128
    return jnp.stack([y + _descaled(u * 33292), y + _descaled(v * -9519 + u * -6472), y + _descaled(v * 18678)], -1)


def _from_planes(x, mode):
    """An image of luminance above chroma at half the resolution; int32, still to be clipped."""
    count, rows, width, _ = x.shape
    height = rows // 3 * 2
    y = x[:, :height, :, 0].astype(jnp.int32)
    if "GRAY" in mode:
        return y[..., None]
    order, planes = _CHROMA[PLANAR[mode]]
    chroma = x[:, height:].astype(jnp.int32)
    if planes:
        pair = chroma.reshape(count, 2, height // 2, width // 2).transpose(1, 0, 2, 3)
    else:
        pair = chroma.reshape(count, height // 2, width // 2, 2).transpose(3, 0, 1, 2)
    u, v = (pair[order.index(c)].repeat(2, 1).repeat(2, 2) for c in "UV")
    rgb = _bt601(y, u, v) if mode.startswith("BT601") else _jpeg(y, u - 128, v - 128)
    return jnp.stack(rgb if "2RGB" in mode else rgb[::-1], -1)


def _jpeg(y, u, v):
    return [y + ((359 * v) >> 8), y - ((88 * u + 183 * v) >> 8), y + ((454 * u) >> 8)]


def _bt601(y, u, v):
    """libyuv's fixed point: coefficients times 64; 1.164, 2.018, 0.391, 0.813 and 1.596 of BT.601."""
    light = (y * 0x0101 * 18997 >> 16) - 1160
    u, v = u - 128, v - 128
    return [(light + 102 * v) >> 6, (light - 25 * u - 52 * v) >> 6, (light + 128 * u) >> 6]


def _correlation_size(length, *, kernel, displacement, stride, pad):
    border = displacement + (kernel - 1) // 2
    return -(-(length + 2 * pad - 2 * border) // stride)


def _check_correlation(a, b, *, kernel, displacement, stride1, stride2, pad, multiply):
    if a.ndim != 4 or a.shape != b.shape or 0 in a.shape[1:]:
        raise RuntimeError(f"correlation takes two tensors (N, C, H, W) of one shape, not {a.shape} and {b.shape}")
    if a.dtype != b.dtype or not jnp.issubdtype(a.dtype, jnp.floating):
        raise RuntimeError(f"correlation takes two tensors of one floating-point dtype, not {a.dtype} and {b.dtype}")
    if kernel < 1 or stride1 < 1 or stride2 < 1 or displacement < 0 or pad < 0:
        raise RuntimeError(
            f"correlation: kernel_size={kernel}, stride1={stride1} and stride2={stride2} must be at least 1, "
            f"max_displacement={displacement} and pad_size={pad} at least 0"
        )
    for length in a.shape[2:]:
        if _correlation_size(length, kernel=kernel, displacement=displacement, stride=stride1, pad=pad) < 1:
            raise RuntimeError(
                f"correlation: nothing is left of shape {a.shape} with kernel_size={kernel}, "
                f"max_displacement={displacement} and pad_size={pad}"
            )


@op(check=_check_correlation)
def correlation(a, b, *, kernel, displacement, stride1, stride2, pad, multiply):
    radius, reach = (kernel - 1) // 2, displacement // stride2
    size = [
        _correlation_size(n, kernel=kernel, displacement=displacement, stride=stride1, pad=pad) for n in a.shape[2:]
    ]
    # The part of the padded maps that windows of the first one cover.
    region = (*a.shape[:2], *((n - 1) * stride1 + 1 + 2 * radius for n in size))
    padding = [(0, 0), (0, 0), (pad, pad), (pad, pad)]
    a, b, dtype = jnp.pad(a.astype(jnp.float32), padding), jnp.pad(b.astype(jnp.float32), padding), a.dtype
    centre = lax.slice(a, (0, 0, displacement, displacement), (*region[:2], *(displacement + n for n in region[2:])))
    window, strides = (1, 2 * radius + 1, 2 * radius + 1), (1, stride1, stride1)

    # Recomputed for the gradient: a shifted copy for each displacement would be large.
    @jax.checkpoint
    def displaced(shift):
        other = lax.dynamic_slice(b, (0, 0, displacement + shift[0], displacement + shift[1]), region)
        each = centre * other if multiply else jnp.where(centre > other, centre - other, other - centre)
        return lax.reduce_window(each.sum(1), 0.0, lax.add, window, strides, "VALID")

    steps = jnp.arange(-reach, reach + 1) * stride2
    shifts = jnp.stack(jnp.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    sums = map_each(displaced, shifts)
    return divided(sums.transpose(1, 0, 2, 3), region[1] * (2 * radius + 1) ** 2).astype(dtype)
