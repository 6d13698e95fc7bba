"""Normalisation of batches in training, and its gradient, as primitives of JAX: on CPUs oneDNN may compute them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from .onednn import custom_call

PLAIN: dict[str, Callable[..., Any]] = {}


def _across(p, x):
    return p.reshape(1, -1, *[1] * (x.ndim - 2))


def _normalized(x, scale, shift, *, eps):
    axes = (0, *range(2, x.ndim))
    mean = x.mean(axes)
    centred = x - _across(mean, x)
    var = (centred * centred).mean(axes)
    return centred * lax.rsqrt(_across(var, x) + eps) * _across(scale, x) + _across(shift, x), mean, var


def _gradient(x, mean, var, ct, scale, *, eps):
    axes = (0, *range(2, x.ndim))
    deviation = lax.rsqrt(var + eps)
    standard = (x - _across(mean, x)) * _across(deviation, x)
    dshift, dscale = ct.sum(axes), (ct * standard).sum(axes)
    count = prod(x.shape[k] for k in axes)
    centred = ct - _across(dshift / count, x) - standard * _across(dscale / count, x)
    return centred * _across(scale * deviation, x), dscale, dshift


def _primitive(name, plain, shapes, by_library):
    primitive = Primitive(name)
    primitive.multiple_results = True
    PLAIN[name] = plain
    primitive.def_impl(lambda *arrays, **params: jax.jit(partial(primitive.bind, **params))(*arrays))

    def abstract(*avals, **params):
        return [avals[k].update(weak_type=False) for k in shapes]

    def on_cpu(*arrays, **params):
        of = custom_call.normalization(name, arrays[0], **params)
        return plain(*arrays, **params) if of is None else by_library(of, *arrays)

    def batched(arrays, dims, **params):
        found = jax.vmap(partial(plain, **params), in_axes=dims)(*arrays)
        return found, [0] * len(found)

    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(plain, multiple_results=True))
    mlir.register_lowering(primitive, mlir.lower_fun(on_cpu, multiple_results=True), platform="cpu")
    batching.primitive_batchers[primitive] = batched

    def jvp(primals, tangents, **params):
        dense = [jnp.zeros_like(p) if type(t) is ad.Zero else t for p, t in zip(primals, tangents, strict=True)]
        return jax.jvp(partial(plain, **params), tuple(primals), tuple(dense))

    ad.primitive_jvps[primitive] = jvp
    return primitive


def _normalized_by_library(of, x, scale, shift):
    y, mean, var, left = custom_call.call(of, x)
    left = left.mean((0, *range(2, x.ndim)))
    y = (y - _across(left, x)) * _across(scale, x) + _across(shift, x)
    return y, mean + left * jnp.sqrt(var + of.eps), var


_normalize = _primitive("normalize_batch", _normalized, (0, 1, 1), _normalized_by_library)
_normalize_gradient = _primitive("normalize_batch_gradient", _gradient, (0, 1, 1), custom_call.call)


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
    count = prod(n for k, n in enumerate(x.shape) if k != 1)
    # Gradients are seldom taken of these, and a pass over the input costs as much as the rest.
    if not _is_zero(of_mean):
        dx += _across(of_mean / count, x)
    if not _is_zero(of_var):
        dx += (x - _across(mean, x)) * _across(of_var * (2 / count), x)
    return dx, dscale, dshift


def _is_zero(ct):
    return isinstance(ct, SymbolicZero)


normalize.defvjp(_forward, _backward, symbolic_zeros=True)
