"""Normalisation of batches in training, and its gradient, as primitives of JAX, in either layout."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .composite import composite


def _across(p, x, axis=1):
    return p.reshape([-1 if k == axis % x.ndim else 1 for k in range(x.ndim)])


def _summed(x, axis):
    """Of each channel, first within the images: sums stay small, and vectors long where the channels lie behind."""
    return x.sum([k for k in range(1, x.ndim) if k != axis % x.ndim]).sum(0)


def _normalized(x, scale, shift, *, eps, axis=1):
    count = x.size // x.shape[axis]
    mean = _summed(x, axis) / count
    centred = x - _across(mean, x, axis)
    var = _summed(centred * centred, axis) / count
    factor = scale * lax.rsqrt(var + eps)
    return centred * _across(factor, x, axis) + _across(shift, x, axis), mean, var


def _gradient(x, mean, var, ct, scale, *, eps, axis=1):
    count = x.size // x.shape[axis]
    deviation = lax.rsqrt(var + eps)
    centred = x - _across(mean, x, axis)
    dshift, dscale = _summed(ct, axis), _summed(ct * centred, axis) * deviation
    dx = ct - _across(dshift / count, x, axis) - centred * _across(deviation * dscale / count, x, axis)
    return dx * _across(scale * deviation, x, axis), dscale, dshift


_normalize = composite("normalize_batch", _normalized, (0, 1, 1))
_normalize_gradient = composite("normalize_batch_gradient", _gradient, (0, 1, 1))


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalize(x, scale, shift, eps):
    """``(x - mean) / sqrt(var + eps) * scale + shift``, with the mean and the variance of each channel, and these.

    Args:
        x: float32, ``(N, C, ...)``.
        scale, shift: float32, ``(C,)``.
        eps: a number.
    """
    return tuple(_normalize.bind(x, scale, shift, eps=eps))


def _forward(x, scale, shift, eps):
    x, scale, shift = (p.value for p in (x, scale, shift))
    y, mean, var = _normalize.bind(x, scale, shift, eps=eps)
    return (y, mean, var), (x, scale, mean, var)


def _backward(eps, kept, cts):
    x, scale, mean, var = kept
    of_y, of_mean, of_var = cts
    ct = jnp.zeros_like(x) if _is_zero(of_y) else of_y
    dx, dscale, dshift = _normalize_gradient.bind(x, mean, var, ct, scale, eps=eps)
    count = x.size // x.shape[1]
    # Gradients are seldom taken of these, and a pass over the input costs as much as the rest.
    if not _is_zero(of_mean):
        dx += _across(of_mean / count, x)
    if not _is_zero(of_var):
        dx += (x - _across(mean, x)) * _across(of_var * (2 / count), x)
    return dx, dscale, dshift


def _is_zero(ct):
    return isinstance(ct, SymbolicZero)


normalize.defvjp(_forward, _backward, symbolic_zeros=True)
