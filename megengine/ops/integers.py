"""Products of quantised tensors: of integers, summed as integers, then brought to the steps of the result.

A convolution's sum becomes real numbers, ``sum * s`` with the product ``s`` of both scales, as the bias does; these are added,
activated, divided by the result's scale and rounded with halves away from zero, in float32, as the reference's kernels for x86
do it.
"""

from __future__ import annotations

from functools import reduce
from math import prod
from operator import add

import jax
import jax.numpy as jnp
import numpy as np

from .bilinear import input_gradient
from .conv import check_bias, check_kernel, check_transposed, dense, transposed_sizes
from .convolve_integers import convolve_integers, in_parts, summed_in_floats
from .op import op
from .quantized import BY_CNAME, Key, dtype_of_key, product_of, real_of, rounded
from .windows import out_size

ACTIVATIONS = {
    "identity": lambda x: x,
    "relu": lambda x: jnp.maximum(x, 0),
    "h_swish": lambda x: x * jnp.clip(x + 3, 0, 6) / 6,
    "sigmoid": lambda x: 1 / (1 + jnp.exp(-x)),
}


def _integers(x, key: Key):
    """The steps from the zero point, as float32, which holds them all; and the largest."""
    meta = BY_CNAME[key.cname]
    largest = max(abs(meta.qmin - key.zero_point), abs(meta.qmax - key.zero_point))
    return x.astype(jnp.float32) - np.float32(key.zero_point) if key.zero_point else x.astype(jnp.float32), largest


def summed(x, kernel, *, of: Key, by: Key, **settings):
    """The sums of a convolution of integers, as int32."""
    if (of.cname, by.cname) == ("QuantizedS8", "QuantizedS8"):
        return convolve_integers(x, kernel, **settings)
    x, most_x = _integers(x, of)
    kernel, most_w = _integers(kernel, by)
    return summed_in_floats(x, kernel, most_x * most_w, **settings)


def _brought(sums, bias, of: Key, by: Key, to: Key, activation: str):
    """Sums of products, with a bias and an activation, as integers of the result's dtype."""
    made = product_of(of, by)
    if to == made and activation == "identity":
        return sums if bias is None else sums + bias
    real = real_of(sums, made.scale)
    if bias is not None:
        real = real + real_of(bias, made.scale)
    return rounded(ACTIVATIONS[activation](real) * (np.float32(1) / np.float32(to.scale)), to)


def _to(name, dtypes, *, to: Key, **attrs):
    return dtype_of_key(to)


def _check(x, weight, bias, *, stride, padding, dilation, groups, **attrs):
    kernel = check_kernel("conv_bias_activation", x, weight, groups, 2)
    if x.shape[1] != kernel[1] * groups:
        raise RuntimeError(
            f"conv_bias_activation: an input of shape {x.shape} has no {kernel[1] * groups} channels, as the weight of shape "
            f"{weight.shape} with groups={groups} needs"
        )
    sizes = [out_size(*n) for n in zip(x.shape[2:], kernel[2:], stride, padding, dilation, strict=True)]
    if min(sizes) < 1:
        raise RuntimeError(f"conv_bias_activation: a window of {kernel[2:]} does not fit an input of shape {x.shape}")
    check_bias("conv_bias_activation", [bias], (x.shape[0], kernel[0], *sizes))


@op(differentiable=False, quantized=_to, check=_check)
def conv_bias(x, weight, bias, *, of, by, to, stride, padding, dilation, groups, activation):
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    sums = summed(x, dense(weight, groups), of=of, by=by, groups=groups, **window)
    return _brought(sums, bias, of, by, to, activation)


def _check_batch(x, weight, bias, *, stride, padding, dilation, groups, **attrs):
    if weight.shape[:1] != x.shape[:1]:
        raise RuntimeError(
            f"batch_conv_bias_activation: the first sizes of input and weight differ, shapes {x.shape} and {weight.shape}"
        )
    of_one = jax.ShapeDtypeStruct(weight.shape[1:], weight.dtype)
    _check(x, of_one, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


@op(differentiable=False, quantized=_to, check=_check_batch)
def batch_conv_bias(x, weight, bias, *, of, by, to, stride, padding, dilation, groups, activation):
    # A kernel for each example: the examples as groups of one.
    batch = x.shape[0]
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    kernels = weight.reshape(-1, *weight.shape[-3:])
    together = x.reshape(1, -1, *x.shape[2:])
    sums = summed(together, kernels, of=of, by=by, groups=batch * groups, **window)
    return _brought(sums.reshape(batch, -1, *sums.shape[2:]), bias, of, by, to, activation)


def _check_transposed(x, weight, *bias, of, by, to, **settings):
    check_transposed(x, weight, *bias, groups=1, **settings)


@op("quantized_conv_transpose", differentiable=False, quantized=_to, check=_check_transposed)
def conv_transpose(x, weight, *bias, of, by, to, stride, padding, dilation, extra):
    sizes = transposed_sizes(x.shape[2:], weight.shape[2:], stride, padding, dilation, extra)
    window = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 1}
    shape = (x.shape[0], weight.shape[1], *sizes)
    x, most_x = _integers(x, of)
    kernel, most_w = _integers(weight, by)
    parts = in_parts(weight.shape[0], prod(weight.shape[2:]), most_x * most_w)
    sums = [input_gradient(kernel[part], x[:, part], shape=shape, **window).astype(jnp.int32) for part in parts]
    return _brought(reduce(add, sums), bias[0] if bias else None, of, by, to, "identity")
