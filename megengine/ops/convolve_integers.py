"""Convolution of 8-bit integers, summed as 32-bit ones, as a primitive of JAX.

On CPUs with oneDNN its integer kernels compute it. Elsewhere, and where the library is not to be called, it is convolutions of
float32, each of so few channels that no sum is rounded: XLA's own convolution of integers is a hundred times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from math import prod
from operator import add
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from .bilinear import convolve
from .onednn import custom_call
from .windows import out_size

# The largest sum of which every smaller whole number is a float32.
EXACT = 1 << 24


def in_parts(channels: int, window: int, largest: int) -> list[slice]:
    """The channels in parts whose sums float32 holds exactly.

    Args:
        channels: how many are summed.
        window: elements of the window.
        largest: greatest absolute value of a product.
    """
    most = max(EXACT // (largest * window), 1)
    return [slice(start, min(start + most, channels)) for start in range(0, channels, most)]


def summed_in_floats(x, kernel, largest: int, *, groups: int, **settings: Any) -> jax.Array:
    """Sums of products of whole numbers, given as float32, as int32.

    Args:
        x: ``(N, C, *sizes)``.
        kernel: ``(O, C / groups, *window)``.
        largest: greatest absolute value of a product.
        groups, settings: as of :func:`~.bilinear.convolve`.
    """
    parts = in_parts(kernel.shape[1], prod(kernel.shape[2:]), largest)
    if len(parts) == 1:
        return convolve(x, kernel, groups=groups, **settings).astype(jnp.int32)
    grouped = x.reshape(x.shape[0], groups, -1, *x.shape[2:])

    def of_part(part: slice) -> jax.Array:
        piece = grouped[:, :, part].reshape(x.shape[0], -1, *x.shape[2:])
        return convolve(piece, kernel[:, part], groups=groups, **settings).astype(jnp.int32)

    return reduce(add, map(of_part, parts))


def convolve_integers(x, kernel, *, stride, padding, dilation, groups) -> jax.Array:
    """Cross-correlate int8 ``(N, C, *sizes)`` with an int8 kernel ``(O, C / groups, *window)``; the result is int32."""
    settings = {"stride": tuple(stride), "padding": tuple(padding), "dilation": tuple(dilation), "groups": groups}
    found: jax.Array = _convolve.bind(x, kernel, x_shape=x.shape, kernel_shape=kernel.shape, **settings)
    return found


def _by_default(x, kernel, *, x_shape, kernel_shape, **settings):
    return summed_in_floats(x.astype(jnp.float32), kernel.astype(jnp.float32), 128 * 128, **settings)


def _on_cpu(x, kernel, **params):
    of = custom_call.integer_convolution(**params)
    return _by_default(x, kernel, **params) if of is None else custom_call.call_in_order(of, x, kernel)


def _result(x, kernel, *, x_shape, kernel_shape, stride, padding, dilation, groups):
    axes = zip(x_shape[2:], kernel_shape[2:], stride, padding, dilation, strict=True)
    shape = (x_shape[0], kernel_shape[0], *(out_size(*axis) for axis in axes))
    return x.update(shape=shape, dtype=jnp.dtype(jnp.int32), weak_type=False)


def _batched(arrays, dims, **params):
    return jax.vmap(partial(_by_default, **params), in_axes=dims)(*arrays), 0


def _lowering(function: Callable[..., Any]) -> Any:
    return mlir.lower_fun(function, multiple_results=False)


_convolve = Primitive("convolve_integers")
_convolve.def_impl(lambda *arrays, **params: jax.jit(partial(_convolve.bind, **params))(*arrays))
_convolve.def_abstract_eval(_result)
mlir.register_lowering(_convolve, _lowering(_by_default))
mlir.register_lowering(_convolve, _lowering(_on_cpu), platform="cpu")
batching.primitive_batchers[_convolve] = _batched
