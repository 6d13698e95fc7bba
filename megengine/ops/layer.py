"""Normalisation over the last dimensions, and its gradients, as primitives of JAX."""

from __future__ import annotations

from functools import partial
from math import prod

import jax
from jax import lax

from .composite import composite


def _normalized(x, *affine, trailing, eps):
    axes = tuple(range(x.ndim - trailing, x.ndim))
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    var = (centred * centred).mean(axes, keepdims=True)
    y = centred * lax.rsqrt(var + eps)
    if affine:
        weight, bias = affine
        y = y * weight + bias
    return y, mean, var


def _gradients(x, mean, var, ct, *weight, trailing, eps):
    """As JAX derives them, step by step."""
    before, axes = tuple(range(x.ndim - trailing)), tuple(range(x.ndim - trailing, x.ndim))
    count = prod(x.shape[k] for k in axes)
    centred, shifted = x - mean, var + eps
    factor = lax.rsqrt(shifted)
    of_affine = []
    if weight:
        normal = centred * factor
        of_affine = [(normal * ct).sum(before, keepdims=True), ct.sum(before, keepdims=True)]
        ct = ct * weight[0]
    of_var = (centred * ct).sum(axes, keepdims=True) * (-0.5 * (factor / shifted)) / count
    of_centred = ct * factor + centred * of_var + of_var * centred
    return of_centred + (-of_centred).sum(axes, keepdims=True) / count, *of_affine


def _statistic(x, *_, trailing, eps):
    return x.update(shape=(*x.shape[: x.ndim - trailing], *[1] * trailing))


_normalize = composite("normalize_layer", _normalized, (0, _statistic, _statistic))
_gradient = composite("normalize_layer_gradient", _gradients, (0,))
_all_gradients = composite("normalize_layer_gradients", _gradients, (0, 4, 4))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def normalize(trailing, eps, x, *affine):
    """``(x - mean) / sqrt(var + eps) * weight + bias``, with the mean and the variance over the last dimensions.

    Args:
        trailing: how many dimensions.
        eps: a number.
        x: float32.
        affine: nothing, or weight and bias: float32, of as many dimensions as ``x`` and of its sizes in the last ones.
    """
    return _normalize.bind(x, *affine, trailing=trailing, eps=eps)[0]


def _forward(trailing, eps, x, *affine):
    y, mean, var = _normalize.bind(x, *affine, trailing=trailing, eps=eps)
    return y, (x, mean, var, *affine[:1])


def _backward(trailing, eps, kept, ct):
    x, mean, var, *weight = kept
    primitive = _all_gradients if weight else _gradient
    return tuple(primitive.bind(x, mean, var, ct, *weight, trailing=trailing, eps=eps))


normalize.defvjp(_forward, _backward)
