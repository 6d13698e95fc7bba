"""Reshaping, joining and cutting up."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from . import formats, promote, quantized
from .bounds import within
from .conversion import convert
from .op import op


def _reshape_on_host(array, shape):
    return array.reshape(shape) if array.size == math.prod(shape) else None


def _check_reshape(x, *, shape):
    if min(shape, default=0) >= 0 and math.prod(shape) != x.size:  # a trace with symbolic sizes would take it
        raise RuntimeError(f"reshape: cannot reshape {x.shape} ({x.size} elements) to {shape}")


@op(on_host=_reshape_on_host, quantized=quantized.kept, check=_check_reshape)
def reshape(x, *, shape):
    return x.reshape(shape)


@op(quantized=quantized.kept, formats=formats.dropped)
def transpose(x, *, pattern):
    axes = [p for p in pattern if p != "x"]
    return jnp.expand_dims(x.transpose(axes), [k for k, p in enumerate(pattern) if p == "x"])


@op(quantized=quantized.kept)
def broadcast_to(x, *, shape):
    return jnp.broadcast_to(x, shape)


@op(quantized=quantized.kept)
def expand_dims(x, *, axes):
    return jnp.expand_dims(x, axes)


@op(quantized=quantized.kept)
def squeeze(x, *, axes):
    return jnp.squeeze(x, axes)


@op(promote=promote.comparison, quantized=quantized.same)
def concat(*xs, axis):
    return jnp.concatenate([jnp.atleast_1d(x) for x in xs], axis)


def _check_one_shape(*xs, axis):
    for x in xs:
        if x.shape != xs[0].shape:
            raise RuntimeError(f"stack takes tensors of one shape, not {xs[0].shape} and {x.shape}")


@op(promote=promote.comparison, quantized=quantized.same, formats=formats.dropped, check=_check_one_shape)
def stack(*xs, axis):
    return jnp.stack(xs, axis)


@op(quantized=quantized.kept)
def split(x, *, points, axis):
    return tuple(jnp.split(x, points, axis))


@op(quantized=quantized.kept, formats=formats.dropped)
def repeat(x, *, repeats, axis):
    return jnp.repeat(x, repeats, axis)


@op(quantized=quantized.kept, formats=formats.dropped)
def tile(x, *, reps):
    return jnp.tile(x, reps)


@op(quantized=quantized.kept, formats=formats.dropped)
def roll(x, *, shift, axes):
    return jnp.roll(x, shift, axes)


@op()
def constant(*, value, shape, dtype):
    return jnp.full(shape, value, dtype)


@op()
def full(value, *, shape, dtype):
    return jnp.broadcast_to(value if dtype is None else convert(value, dtype), shape)


@op(differentiable=False)
def full_like(x, value):
    return jnp.full(x.shape, convert(value, x.dtype))


@op()
def arange(start, step, *, count, dtype):
    if all(jnp.issubdtype(t, jnp.integer) for t in (start.dtype, step.dtype, dtype)):
        return (start + step * jnp.arange(count, dtype=jnp.int32)).astype(dtype)
    return convert(start + step * jnp.arange(count, dtype=jnp.float32), dtype)


@op()
def linspace(start, stop, *, count, dtype):
    # The reference steps from the left; only the size is static. The last number is what it is to be, whatever was rounded.
    step = (stop - start) / max(count - 1, 1)
    place = jnp.arange(count, dtype=jnp.float32)
    return convert(jnp.where((place == count - 1) & (place > 0), stop, start + step * place), dtype)


@op()
def eye(*, rows, columns, dtype):
    return jnp.eye(rows, columns, dtype=np.dtype(dtype))


@op()
def diag(x, *, k):
    return jnp.diag(x, k)


def _is_class(index, *, classes):
    return within(index, 0, classes)


@op(valid=_is_class, invalid="an index is out of range for {classes} classes")
def one_hot(index, *, classes):
    return (index[..., None] == jnp.arange(classes)).astype(index.dtype)


def _check_vectors(*xs, indexing):
    for x in xs:
        if x.ndim != 1:
            raise RuntimeError(f"meshgrid takes vectors, not shape {x.shape}")


@op(check=_check_vectors)
def meshgrid(*xs, indexing):
    return tuple(jnp.meshgrid(*xs, indexing=indexing))
