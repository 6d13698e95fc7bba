"""Softmax of float32 over the last dimension, and its gradient, as primitives of JAX."""

from __future__ import annotations

import jax.numpy as jnp

from .composite import composite


def _softmax_of(x, axis):
    shifted = jnp.exp(x - x.max(axis, keepdims=True, initial=-jnp.inf))
    return shifted / shifted.sum(axis, keepdims=True)


def _gradient_of(y, ct, axis):
    weighted = y * ct
    return weighted - y * weighted.sum(axis, keepdims=True)


_softmax = composite("softmax", lambda x: [_softmax_of(x, (x.ndim - 1,))], (0,))
_gradient = composite("softmax_gradient", lambda y, ct: [_gradient_of(y, ct, (y.ndim - 1,))], (0,))


def softmax(x, axis):
    """``exp(x) / sum(exp(x))``, the sum over some dimensions, in rising order, or all of them."""
    return _softmax.bind(x)[0] if _of_rows(x, axis) else _softmax_of(x, axis)


def softmax_gradient(y, ct, axis):
    """The gradient of what :func:`softmax` made ``y`` of."""
    return _gradient.bind(y, ct)[0] if _of_rows(y, axis) and ct.dtype == y.dtype else _gradient_of(y, ct, axis)


def _of_rows(x, axis):
    return x.dtype == jnp.float32 and axis == (x.ndim - 1,)
