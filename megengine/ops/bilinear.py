"""Convolution and its two gradients as primitives of JAX: which algorithm computes them is decided when XLA's input is made.

A convolution is linear in its input and in its kernel, so that the three are each other's transposes, and derivatives of any
order are made of them. All take the shapes of input and kernel, and the settings of :mod:`megengine.ops.convolve`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from . import convolve as algorithms
from .convolve_on_cpu import ON_CPU, Lowering, forward_of, input_of, kernel_of
from .onednn import custom_call
from .windows import out_size

BY_DEFAULT: dict[str, Lowering] = {}


def convolve(x, kernel, **settings):
    """Cross-correlate ``(N, C, *sizes)`` with a kernel ``(O, C / groups, *window)``."""
    return _convolve.bind(x, kernel, **_params(x.shape, kernel.shape, **settings))


def input_gradient(kernel, ct, *, shape, **settings):
    """The gradient of the input, which has this shape."""
    return _of_input.bind(kernel, ct, **_params(shape, kernel.shape, **settings))


def kernel_gradient(x, ct, *, shape, **settings):
    """The gradient of the kernel, which has this shape."""
    return _of_kernel.bind(x, ct, **_params(x.shape, shape, **settings))


def gradients(x, kernel, ct, **settings):
    """The gradients of a convolution's input and kernel."""
    return input_gradient(kernel, ct, shape=x.shape, **settings), kernel_gradient(x, ct, shape=kernel.shape, **settings)


def _params(x_shape, kernel_shape, *, stride, padding, dilation, groups):
    settings = {"stride": tuple(stride), "padding": tuple(padding), "dilation": tuple(dilation), "groups": groups}
    return {"x_shape": tuple(x_shape), "kernel_shape": tuple(kernel_shape), **settings}


def _result_shape(*, x_shape, kernel_shape, stride, padding, dilation, groups):
    axes = zip(x_shape[2:], kernel_shape[2:], stride, padding, dilation, strict=True)
    return (x_shape[0], kernel_shape[0], *(out_size(*axis) for axis in axes))


def _primitive(name: str, shape: Callable[..., Any], by_default: Lowering) -> Primitive:
    primitive, on_cpu = Primitive(name), ON_CPU[name]
    BY_DEFAULT[name] = by_default
    primitive.def_impl(lambda *arrays, **params: jax.jit(partial(primitive.bind, **params))(*arrays))
    primitive.def_abstract_eval(lambda a, b, **params: a.update(shape=shape(**params), weak_type=False))
    mlir.register_lowering(primitive, mlir.lower_fun(by_default, multiple_results=False))

    def fastest_on_cpu(a, b, **params):
        if not all(isinstance(n, int) for n in params["x_shape"]):  # of a graph that is exported with a free batch
            return by_default(a, b, **params)
        of = custom_call.convolution(name, a.dtype, **params)
        if of is not None:
            return custom_call.call_in_order(of, a, b)
        algorithm = custom_call.algorithm_of(name, a.dtype, **params)
        return on_cpu(a, b, algorithm=algorithm, **params)

    mlir.register_lowering(primitive, mlir.lower_fun(fastest_on_cpu, multiple_results=False), platform="cpu")

    def batched(arrays, dims, **params):
        both = {"cpu": partial(on_cpu, **params), "default": partial(by_default, **params)}
        return jax.vmap(partial(lax.platform_dependent, **both), in_axes=dims)(*arrays), 0

    batching.primitive_batchers[primitive] = batched
    return primitive


_convolve = _primitive("convolve", _result_shape, forward_of(algorithms.direct))
_of_input = _primitive("convolve_input_gradient", lambda *, x_shape, **params: x_shape, input_of(algorithms.direct))
_of_kernel = _primitive(
    "convolve_kernel_gradient", lambda *, kernel_shape, **params: kernel_shape, kernel_of(algorithms.direct)
)
# What becomes of a result's cotangent: that of the first operand, from the second, and the other way round.
ad.defbilinear(
    _convolve,
    lambda ct, _, kernel, **params: _of_input.bind(kernel, ct, **params),
    lambda ct, x, _, **params: _of_kernel.bind(x, ct, **params),
)
ad.defbilinear(
    _of_input,
    lambda ct, _, of_result, **params: _of_kernel.bind(ct, of_result, **params),
    lambda ct, kernel, _, **params: _convolve.bind(ct, kernel, **params),
)
ad.defbilinear(
    _of_kernel,
    lambda ct, _, of_result, **params: _of_input.bind(ct, of_result, **params),
    lambda ct, x, _, **params: _convolve.bind(x, ct, **params),
)
