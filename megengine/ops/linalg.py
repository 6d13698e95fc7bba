"""Matrix products and decompositions."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from . import autocast, formats, promote, quantized
from .op import op


def wide_sums(dtype):
    """What products of a dtype are summed in: small integers in int32, as in the reference; None for its own."""
    return np.int32 if dtype in (np.int8, np.uint8, np.int16) else None


def _check_matmul(x, y, *, transpose_a, transpose_b):
    if x.ndim == 0 or y.ndim == 0:
        raise AssertionError(f"matmul: operands need at least one dimension, got shapes {x.shape} and {y.shape}")
    if x.ndim + y.ndim > 2 and ((x.ndim == 1 and transpose_a) or (y.ndim == 1 and transpose_b)):
        raise RuntimeError(f"matmul: a vector cannot be transposed, shapes {x.shape} and {y.shape}")
    inner_x = x.shape[-1] if x.ndim == 1 or not transpose_a else x.shape[-2]
    inner_y = y.shape[0] if y.ndim == 1 else y.shape[-1] if transpose_b else y.shape[-2]
    if inner_x != inner_y:
        flags = f" (transpose_a={transpose_a}, transpose_b={transpose_b})" if transpose_a or transpose_b else ""
        raise RuntimeError(
            f"matmul: inner sizes differ, {inner_x} and {inner_y}, for shapes {x.shape} and {y.shape}{flags}"
        )


@op(
    promote=quantized.products(promote.arithmetic),
    check=_check_matmul,
    autocast=autocast.low,
    formats=formats.dropped,
    quantized=quantized.product,
)
def matmul(x, y, *, transpose_a, transpose_b):
    wide = wide_sums(x.dtype)
    n = x.ndim
    if n == y.ndim >= 2 and x.shape[:-2] == y.shape[:-2]:  # XLA copies a transposed matrix that it multiplies by one row
        terms, batch = ((n - 1 - transpose_a,), (n - 2 + transpose_b,)), tuple(range(n - 2))
        return lax.dot_general(x, y, (terms, (batch, batch)), preferred_element_type=wide)
    if transpose_a and x.ndim > 1:
        x = jnp.swapaxes(x, -1, -2)
    if transpose_b and y.ndim > 1:
        y = jnp.swapaxes(y, -1, -2)
    return jnp.matmul(x, y, preferred_element_type=wide)


# Of two vectors; as in the reference, mixed precision leaves those alone.
inner = matmul.variant(name="inner", autocast=None)


def _check_linear(x, weight, *bias):
    if weight.ndim != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise RuntimeError(
            f"linear: an input of shape {x.shape} does not fit a weight of shape {weight.shape} (out_features, in_features)"
        )


@op(
    promote=quantized.products(promote.arithmetic),
    check=_check_linear,
    autocast=autocast.low,
    quantized=quantized.product,
)
def linear(x, weight, *bias):
    wide = wide_sums(x.dtype)
    if wide is None and not all(type(n) is int and n == 1 for n in x.shape[:-1]):
        y = jnp.matmul(x, weight.T)  # whose gradient is a twentieth faster
    else:  # XLA on CPUs copies a transposed matrix that meets one row, or small integers
        y = lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())), preferred_element_type=wide)
    return y + bias[0] if bias else y


@op(promote=promote.arithmetic, autocast=autocast.low)
def einsum(*operands, equation):
    return jnp.einsum(equation, *operands)


def _check_dot(x, y):
    if x.ndim and y.ndim and x.shape != y.shape:
        raise RuntimeError(f"dot: vectors of different lengths, {x.size} and {y.size}")


@op(promote=promote.arithmetic, check=_check_dot)
def dot(x, y):
    return (x * y).sum(dtype=x.dtype)


@op(promote=promote.floating)
def matinv(x):
    return jnp.linalg.inv(x)


@op(promote=promote.floating)
def svd(x, *, full_matrices, compute_uv):
    if not compute_uv:
        return jnp.linalg.svd(x, full_matrices=full_matrices, compute_uv=False)
    return tuple(jnp.linalg.svd(x, full_matrices=full_matrices))


@op(promote=promote.arithmetic)
def cross(x, y, *, axes):
    axis_x, axis_y, axis_out = axes
    return jnp.cross(x, y, axisa=axis_x, axisb=axis_y, axisc=axis_out)
