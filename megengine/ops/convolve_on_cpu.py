"""Convolution and its two gradients as XLA computes them on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import jax

from . import convolve as algorithms

Lowering = Callable[..., jax.Array]


def forward_of(lower: Lowering) -> Lowering:
    """A convolution by an algorithm, as a primitive's parameters say."""
    return lambda x, kernel, *, x_shape, kernel_shape, **settings: lower(x, kernel, **settings)


def input_of(lower: Lowering) -> Lowering:
    """The gradient of the input of a convolution by an algorithm."""

    def lowering(kernel, ct, *, x_shape, kernel_shape, **settings):
        of = jax.ShapeDtypeStruct(x_shape, ct.dtype)
        return jax.linear_transpose(lambda x: lower(x, kernel, **settings), of)(ct)[0]

    return lowering


def kernel_of(lower: Lowering) -> Lowering:
    """The gradient of the kernel of a convolution by an algorithm."""

    def lowering(x, ct, *, x_shape, kernel_shape, **settings):
        of = jax.ShapeDtypeStruct(kernel_shape, ct.dtype)
        return jax.linear_transpose(lambda kernel: lower(x, kernel, **settings), of)(ct)[0]

    return lowering


def _input_on_cpu(kernel, ct, *, x_shape, kernel_shape, algorithm="", **settings):
    if algorithm in ("", "depthwise") and algorithms.written_out(x_shape, kernel_shape, **settings):
        return algorithms.depthwise_input_gradient(kernel, ct, x_shape=x_shape, **settings)
    shapes = {"x_shape": x_shape, "kernel_shape": kernel_shape}
    return input_of(algorithms.on_cpu)(kernel, ct, algorithm=algorithm, **shapes, **settings)


def _kernel_on_cpu(x, ct, *, x_shape, kernel_shape, algorithm="", **settings):
    if algorithm in ("", "depthwise") and algorithms.written_out(x_shape, kernel_shape, **settings):
        return algorithms.depthwise_kernel_gradient(x, ct, kernel_shape=kernel_shape, **settings)
    shapes = {"x_shape": x_shape, "kernel_shape": kernel_shape}
    return kernel_of(algorithms.on_cpu)(x, ct, algorithm=algorithm, **shapes, **settings)


# By the names of the primitives of :mod:`megengine.ops.bilinear`; an algorithm may be named.
ON_CPU: dict[str, Lowering] = {
    "convolve": forward_of(algorithms.on_cpu),
    "convolve_input_gradient": _input_on_cpu,
    "convolve_kernel_gradient": _kernel_on_cpu,
}
