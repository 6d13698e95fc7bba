"""Layers that are one op: dropout and normalisations."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from . import promote
from .op import op


def _check_layer_norm(x, *affine, sizes, eps):
    if x.shape[x.ndim - len(sizes) :] != sizes or x.ndim < len(sizes):
        raise RuntimeError(f"layer_norm: an input of shape {x.shape} does not end in normalized_shape {sizes}")
    for name, p in zip(("weight", "bias"), affine, strict=False):
        if p.size != x.size // max(1, _prod(x.shape[: x.ndim - len(sizes)])):
            raise RuntimeError(f"layer_norm: {name} of shape {p.shape} does not fit normalized_shape {sizes}")


def _prod(sizes):
    product = 1
    for n in sizes:
        product *= n
    return product


@op(promote=promote.float_only, check=_check_layer_norm)
def layer_norm(x, *affine, sizes, eps):
    axes = tuple(range(x.ndim - len(sizes), x.ndim))
    wide = x.astype(jnp.float32)
    centred = wide - wide.mean(axes, keepdims=True)
    y = centred * jax.lax.rsqrt((centred * centred).mean(axes, keepdims=True) + eps)
    if affine:
        weight, bias = (p.reshape(sizes) for p in affine)
        y = y * weight + bias
    return y.astype(x.dtype)
