"""Reductions, scans, sorting and searching."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from . import promote
from .op import op


def _sum_dtype(name, kinds):
    return [promote.INT32 if k == promote.BOOL else k for k in kinds]


@op(promote=_sum_dtype)
def sum(x, *, axis, keepdims):  # noqa: A001
    return jnp.sum(x, axis, dtype=x.dtype, keepdims=keepdims)


@op(promote=_sum_dtype)
def prod(x, *, axis, keepdims):
    return jnp.prod(x, axis, dtype=x.dtype, keepdims=keepdims)


@op(promote=promote.as_float32)
def mean(x, *, axis, keepdims):
    return jnp.mean(x, axis, keepdims=keepdims)


@op(promote=promote.as_float32)
def var(x, *, axis, keepdims):
    return jnp.var(x, axis, keepdims=keepdims)


def _tied(operands, out, ct, *, axis, keepdims):
    # Every tied element gets the full gradient, as in the reference.
    (x,) = operands
    if not keepdims and axis is not None:
        out, ct = jnp.expand_dims(out, axis), jnp.expand_dims(ct, axis)
    return (jnp.where(x == out, ct, 0).astype(x.dtype),)


@op(grad=_tied)
def max(x, *, axis, keepdims):  # noqa: A001
    return jnp.max(x, axis, keepdims=keepdims)


@op(grad=_tied)
def min(x, *, axis, keepdims):  # noqa: A001
    return jnp.min(x, axis, keepdims=keepdims)


@op(differentiable=False)
def argmax(x, *, axis, keepdims):
    return jnp.argmax(x, axis, keepdims=keepdims).astype(np.int32)


@op(differentiable=False)
def argmin(x, *, axis, keepdims):
    return jnp.argmin(x, axis, keepdims=keepdims).astype(np.int32)


@op(promote=_sum_dtype)
def cumsum(x, *, axis):
    return jnp.cumsum(x, axis, dtype=x.dtype)


@op()
def sort(x, *, descending):
    order = jnp.argsort(x, axis=-1, stable=True, descending=descending).astype(np.int32)
    return jnp.take_along_axis(x, order, -1), order


@op(differentiable=False)
def argsort(x, *, descending):
    return jnp.argsort(x, axis=-1, stable=True, descending=descending).astype(np.int32)


@op()
def topk(x, *, k, descending):
    order = jnp.argsort(x, axis=-1, stable=True, descending=descending)[..., :k].astype(np.int32)
    return jnp.take_along_axis(x, order, -1), order


@op(promote=promote.floating)
def logsumexp(x, *, axis, keepdims):
    return jax.scipy.special.logsumexp(x, axis, keepdims=keepdims)
