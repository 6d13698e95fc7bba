"""Normalisations, padding and pixel shuffling."""

from __future__ import annotations

from math import prod

import jax.numpy as jnp
from jax import lax

from . import autocast, formats, layer, promote, quantized
from .batch import normalize
from .conversion import convert
from .op import op
from .sizes import reshaped


def _own_dtypes(name, kinds):
    """The input's dtype, which must be floating, and each parameter's."""
    return [promote.float_only(name, kinds[:1])[0], *[k if k in promote.FLOATS else promote.FLOAT32 for k in kinds[1:]]]


def _standardised(x, affine, axes, eps):
    """Over some dimensions of float32, with as many dimensions in weight and bias, if there are any."""
    if axes and axes == tuple(range(x.ndim - len(axes), x.ndim)):
        return layer.normalize(len(axes), eps, x, *[p.astype(jnp.float32) for p in affine])
    centred = x - x.mean(axes, keepdims=True)
    y = centred * lax.rsqrt((centred * centred).mean(axes, keepdims=True) + eps)
    if affine:
        weight, bias = affine
        y = y * weight + bias
    return y


def _check_layer_norm(x, *affine, axes, eps):
    sizes = tuple(x.shape[a] for a in axes)
    for name, p in zip(("weight", "bias"), affine, strict=False):
        if p.size != prod(sizes):
            raise RuntimeError(
                f"normalisation: {name} of shape {p.shape} does not fit the normalised dimensions {sizes}"
            )


@op(promote=_own_dtypes, check=_check_layer_norm, autocast=autocast.high)
def layer_norm(x, *affine, axes, eps):
    shape = [n if k in axes else 1 for k, n in enumerate(x.shape)]
    return _standardised(x.astype(jnp.float32), [p.reshape(shape) for p in affine], axes, eps).astype(x.dtype)


# As in the reference, mixed precision leaves this one's input alone, and that of instance_norm.
general_norm = layer_norm.variant(name="general_norm", autocast=None)


def _check_group_norm(x, *affine, groups, eps):
    if x.ndim < 2 or groups < 1 or x.shape[1] % groups:
        raise RuntimeError(
            f"group_norm: an input of shape {x.shape} cannot be divided into {groups} groups of channels"
        )
    _check_channels("group_norm", x, affine)


def _check_channels(name, x, affine):
    for p in affine:
        if p.size != x.shape[1]:
            raise RuntimeError(
                f"{name}: a parameter of shape {p.shape} does not fit the {x.shape[1]} channels of {x.shape}"
            )


@op(promote=_own_dtypes, check=_check_group_norm, autocast=autocast.high)
def group_norm(x, *affine, groups, eps):
    grouped = reshaped(x.astype(jnp.float32), x.shape[0], groups, -1)
    y = _standardised(grouped, (), (2,), eps).reshape(x.shape)
    if affine:
        weight, bias = (_by_channel(p, x) for p in affine)
        y = y * weight + bias
    return y.astype(x.dtype)


instance_norm = group_norm.variant(name="instance_norm", autocast=None)


def _by_channel(p, x):
    return p.reshape(1, x.shape[1], *[1] * (x.ndim - 2))


def _check_batch_norm(x, *parameters, eps):
    if x.ndim < 2:
        raise RuntimeError(f"batch_norm: the input needs a batch and a channel dimension, it has shape {x.shape}")
    _check_channels("batch_norm", x, parameters)


@op(promote=_own_dtypes, check=_check_batch_norm, autocast=autocast.low_input)
def batch_norm(x, weight, bias, mean, var, *, eps):
    scale = _by_channel(weight, x) * lax.rsqrt(_by_channel(var, x).astype(jnp.float32) + eps)
    return ((x - _by_channel(mean, x)) * scale + _by_channel(bias, x)).astype(x.dtype)


def _check_training(x, weight, bias, mean, var, momentum, *, eps):
    _check_batch_norm(x, weight, bias, mean, var, eps=eps)


@op(promote=_own_dtypes, check=_check_training, autocast=autocast.low_input)
def batch_norm_training(x, weight, bias, mean, var, momentum, *, eps):
    axes = (0, *range(2, x.ndim))
    count = prod(x.shape[k] for k in axes)
    if not count:  # nothing to learn from
        return (x * _by_channel(weight, x) + _by_channel(bias, x)).astype(x.dtype), mean, var
    of_channels = (p.astype(jnp.float32).reshape(x.shape[1]) for p in (weight, bias))
    y, batch_mean, batch_var = normalize(x.astype(jnp.float32), *of_channels, eps)

    def moved(old, new):
        return (momentum * old + (1 - momentum) * lax.stop_gradient(new).reshape(old.shape)).astype(old.dtype)

    # One element has a mean, and no unbiased variance.
    new_var = var if count == 1 else moved(var, batch_var * (count / (count - 1)))
    return y.astype(x.dtype), moved(mean, batch_mean), new_var


@op(promote=promote.float_only)
def local_response_norm(x, *, size, k, alpha, beta):
    before = size // 2
    squares = jnp.pad(x * x, [(0, 0), (before, size - 1 - before)] + [(0, 0)] * (x.ndim - 2))
    window = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x * (k + alpha * window) ** -beta


@op(differentiable=(True, False), formats=formats.dropped, quantized=quantized.kept)
def pad(x, value, *, widths, mode):
    if mode == "constant":
        return jnp.pad(x, widths, constant_values=convert(value, x.dtype))
    return jnp.pad(x, widths, mode={"replicate": "edge"}.get(mode, mode))


@op(quantized=quantized.kept)
def pixel_shuffle(x, *, factor):
    *batch, channels, height, width = x.shape
    x = x.reshape(*batch, channels // factor**2, factor, factor, height, width)
    n = len(batch)
    x = x.transpose(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return x.reshape(*batch, channels // factor**2, height * factor, width * factor)
