"""Reductions, scans, sorting and searching."""

from __future__ import annotations

import builtins

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from . import autocast, promote, quantized
from .loops import cond
from .op import op


def _sum_dtype(name, kinds):
    return [promote.INT32 if k == promote.BOOL else k for k in kinds]


@op(promote=_sum_dtype)
def sum(x, *, axis, keepdims):
    return jnp.sum(x, axis, dtype=x.dtype, keepdims=keepdims)


def _prod_grad(operands, out, ct, *, axis, keepdims):
    """The product over each element where that is exact, the products of the others (slower, and right at zeros) where not."""
    (x,) = operands
    tiny = jnp.finfo(x.dtype).tiny
    unharmed = jnp.all(jnp.abs(out) > tiny)
    harmless = jnp.min(jnp.abs(x), initial=np.inf) * 1e-30 > tiny  # what has underflowed is then under 1e-30
    safe = jnp.all(jnp.isfinite(out)) & (unharmed | harmless)

    def quotient(x):
        total = jnp.prod(x, axis, keepdims=True)
        return total * ct.reshape(total.shape) / x

    def products(x):
        return jax.vjp(lambda x: jnp.prod(x, axis, keepdims=keepdims), x)[1](ct)[0]

    return (cond(safe, quotient, products, x),)


@op(promote=_sum_dtype, grad=_prod_grad)
def prod(x, *, axis, keepdims):
    return jnp.prod(x, axis, dtype=x.dtype, keepdims=keepdims)


@op(promote=promote.as_float32)
def mean(x, *, axis, keepdims):
    return jnp.mean(x, axis, keepdims=keepdims)


@op(promote=promote.as_float32)
def var(x, *, axis, keepdims):
    return jnp.var(x, axis, keepdims=keepdims)


@op(promote=promote.as_float32)
def std(x, *, axis, keepdims):
    return jnp.sqrt(jnp.var(x, axis, keepdims=keepdims))


def _tied(operands, out, ct, *, axis, keepdims):
    # Every tied element gets the full gradient, as in the reference.
    (x,) = operands
    if not keepdims and axis is not None:
        out, ct = jnp.expand_dims(out, axis), jnp.expand_dims(ct, axis)
    return (jnp.where(x == out, ct, 0).astype(x.dtype),)


def _needs_elements(name):
    def check(x, *, axis, keepdims):
        axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        if any(x.shape[a] == 0 for a in axes):
            raise RuntimeError(f"{name} of no elements: a tensor of shape {x.shape}, axis {axis}")

    return check


@op(grad=_tied, check=_needs_elements("max"), quantized=quantized.kept)
def max(x, *, axis, keepdims):
    return jnp.max(x, axis, keepdims=keepdims)


@op(grad=_tied, check=_needs_elements("min"), quantized=quantized.kept)
def min(x, *, axis, keepdims):
    return jnp.min(x, axis, keepdims=keepdims)


@op(differentiable=False, check=_needs_elements("argmax"))
def argmax(x, *, axis, keepdims):
    return _first_where(x, jnp.max, axis, keepdims)


@op(differentiable=False, check=_needs_elements("argmin"))
def argmin(x, *, axis, keepdims):
    return _first_where(x, jnp.min, axis, keepdims)


def _first_where(x, extreme, axis, keepdims):
    """Index of the first largest or smallest element; NaN counts as either. XLA does not vectorise its own argmax on the CPU."""
    if axis is None:
        found = _first_where(x.reshape(-1), extreme, 0, False)
        return found.reshape((1,) * x.ndim) if keepdims else found
    best = extreme(x, axis, keepdims=True)
    hit = (x == best) | (x != x)
    index = lax.broadcasted_iota(np.int32, x.shape, axis % x.ndim)
    return jnp.where(hit, index, np.int32(x.shape[axis])).min(axis, keepdims=keepdims)


@op(promote=_sum_dtype)
def cumsum(x, *, axis):
    return jnp.cumsum(x, axis, dtype=x.dtype)


def _order(x, descending):
    """Indices that sort the last axis, the earlier of equal ones first, NaN last; descending is the reverse of that.

    Sorts one int64 an element, the value's bits above its index: XLA sorts pairs five times slower on the CPU.
    """
    x = lax.stop_gradient(x)
    if jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.float32)
        x = jnp.where(jnp.isnan(x), jnp.float32(np.nan), jnp.where(x == 0, jnp.float32(0), x))
        bits = lax.bitcast_convert_type(x, jnp.int32)
        x = jnp.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits)
    with jax.enable_x64(True):
        keys = (x.astype(jnp.int64) << 32) | lax.broadcasted_iota(jnp.int64, x.shape, x.ndim - 1)
        order = lax.sort(keys, is_stable=False).astype(jnp.int32)
    return lax.rev(order, (x.ndim - 1,)) if descending else order


def _top(x, k, descending):
    """The first k of ``_order``."""
    x = lax.stop_gradient(x)
    if descending:  # top_k puts the earlier of equal ones first
        return np.int32(x.shape[-1] - 1) - lax.top_k(lax.rev(x, (x.ndim - 1,)), k)[1]
    x = jnp.where(jnp.isnan(x), -jnp.inf, -x) if jnp.issubdtype(x.dtype, jnp.floating) else ~x
    return lax.top_k(x, k)[1]


def _check_sortable(x, **_):
    if x.ndim == 0 or x.dtype == np.bool_:
        raise RuntimeError(f"sorting takes numbers of at least one dimension, not {x}")


@op(check=_check_sortable)
def sort(x, *, descending):
    order = _order(x, descending)
    return jnp.take_along_axis(x, order, -1), order


@op(differentiable=False, check=_check_sortable)
def argsort(x, *, descending):
    return _order(x, descending)


@op(check=_check_sortable)
def topk(x, *, k, descending, kth_only):
    k = builtins.min(k, x.shape[-1])
    order = _top(x, k, descending)
    order = order[..., k - 1 :] if kth_only else order
    values = jnp.take_along_axis(x, order, -1)
    return (values[..., 0], order[..., 0]) if kth_only else (values, order)


@op(differentiable=False)
def topk_accuracy(logits, target, *, k):
    best = _top(logits, builtins.min(k, logits.shape[1]), True)
    return (best == target[:, None]).astype(jnp.float32).sum() / target.shape[0]


@op(promote=promote.floating, autocast=autocast.high)
def logsumexp(x, *, axis, keepdims):
    return jax.scipy.special.logsumexp(x, axis, keepdims=keepdims)


def _absolute(x):
    # The derivative at 0 is -1, as that of the op abs.
    return jnp.where(x > 0, x, -x)


@op(promote=promote.numeric, autocast=autocast.high)
def norm(x, *, ord, axis, keepdims):
    if ord == 0:
        return (x != 0).sum(axis, dtype=np.int32, keepdims=keepdims)
    if np.isinf(ord):
        extreme = jnp.max if ord > 0 else jnp.min
        return extreme(_absolute(x), axis, keepdims=keepdims)
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
    if ord == 1:
        return _absolute(x).sum(axis, keepdims=keepdims)
    if ord == 2:
        return jnp.sqrt((x * x).sum(axis, keepdims=keepdims))
    return (_absolute(x) ** ord).sum(axis, keepdims=keepdims) ** (1 / ord)


@op(promote=promote.floating, autocast=autocast.high)
def normalize(x, eps, *, ord, axis):
    return x / jnp.maximum(norm.lower(x, ord=ord, axis=axis, keepdims=True), eps)


def _close(expect, actual, *, maxerr):
    size = jnp.maximum(jnp.minimum(jnp.abs(expect), jnp.abs(actual)), 1)
    return jnp.all(jnp.abs(expect - actual) / size <= maxerr)


@op(promote=promote.floating, valid=_close, invalid="two tensors differ by more than {maxerr}")
def assert_equal(expect, actual, *, maxerr):
    return expect
