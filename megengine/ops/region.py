"""Convolutions whose windows take only the elements of their own region."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .conv import add_bias, bilinear, check_bias, promote_conv
from .loops import scan
from .op import op
from .promote import describe, refuse
from .sizes import reshaped
from .windows import out_size, padded

NAME = "region_restricted_conv"


def _promote(name, kinds):
    """Input, kernel and bias as of a convolution; both maps of regions are int32 or both uint8."""
    x, weight, rin, rout, *bias = kinds
    if rin != rout or str(rin) not in ("int32", "uint8"):
        refuse(name, kinds, f"rin and rout must both be int32 or both uint8, not {describe(rin)} and {describe(rout)}")
    met = promote_conv(name, [x, weight, *bias])
    return [*met[:2], None, None, *met[2:]]


def _check(x, weight, rin, rout, *bias, stride, padding, dilation, groups):
    if x.ndim != 4 or weight.ndim != 5 or weight.shape[0] != groups or x.shape[1] != groups * weight.shape[2]:
        raise RuntimeError(
            f"{NAME}: the input must be (N, C, H, W) and with groups={groups} the weight ({groups}, O / {groups}, "
            f"C / {groups}, h, w), they have shapes {x.shape} and {weight.shape}"
        )
    sizes = tuple(out_size(*n) for n in zip(x.shape[2:], weight.shape[3:], stride, padding, dilation, strict=True))
    if min(sizes) < 1 or min(weight.shape[3:]) < 1:
        raise RuntimeError(
            f"{NAME}: a window of {weight.shape[3:]} with dilation {dilation} does not fit an input of shape {x.shape} "
            f"with padding {padding}"
        )
    for name, regions, size in (("rin", rin, x.shape[2:]), ("rout", rout, sizes)):
        if regions.shape != (x.shape[0], *size):
            raise RuntimeError(f"{NAME}: {name} has shape {regions.shape} instead of {(x.shape[0], *size)}")
    check_bias(NAME, bias, (x.shape[0], groups * weight.shape[1], *sizes))


def _tap(x, at, counts, stride, dilation):
    """The elements that all windows have at a position ``at``; the last two dimensions are the image's."""
    rows, columns = ((n - 1) * s + 1 for n, s in zip(counts, stride, strict=True))
    start = [0] * (x.ndim - 2) + [a * d for a, d in zip(at, dilation, strict=True)]
    return lax.dynamic_slice(x, start, (*x.shape[:-2], rows, columns))[..., :: stride[0], :: stride[1]]


def _linear(x, weight, rin, rout, *, stride, padding, dilation, groups):
    """The sum over the window's positions, one after the other: windows of large kernels together would not fit in memory."""
    counts = rout.shape[1:]
    x = reshaped(
        padded(x, padding), x.shape[0], groups, -1, *(n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True))
    )
    # What the border's region is does not matter: its elements are zeros.
    rin = padded(rin, padding)
    high, wide = weight.shape[3:]
    kernels = jnp.moveaxis(weight.reshape(*weight.shape[:3], high * wide), -1, 0)

    def add(total, each):
        number, kernel = each
        at = number // wide, number % wide
        inside = _tap(rin, at, counts, stride, dilation) == rout
        part = jnp.where(inside[:, None, None], _tap(x, at, counts, stride, dilation), 0)
        products = jnp.einsum("ngcyx,goc->ngoyx", part, kernel, preferred_element_type=total.dtype)
        return total + products, None

    shape = (x.shape[0], groups, weight.shape[1], *counts)
    # Half-precision sums are kept in float32, as those of other convolutions.
    start = jnp.zeros(shape, jnp.promote_types(x.dtype, jnp.float32))
    total, _ = scan(add, start, (jnp.arange(high * wide), kernels))
    return reshaped(total, x.shape[0], -1, *counts).astype(x.dtype)


def _grad(operands, out, ct, **attrs):
    x, weight, rin, rout, *bias = operands
    dx, dw, *of_bias = bilinear(lambda x, w, **attrs: _linear(x, w, rin, rout, **attrs))(
        (x, weight, *bias), out, ct, **attrs
    )
    return dx, dw, None, None, *of_bias


@op(promote=_promote, check=_check, grad=_grad)
def region_restricted_conv(x, weight, rin, rout, *bias, stride, padding, dilation, groups):
    y = _linear(x, weight, rin, rout, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return add_bias(y, bias)
