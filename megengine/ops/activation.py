"""Activation functions and the softmax family."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from . import autocast, promote, quantized
from . import gelu as smooth
from . import softmax as normalized
from .elemwise import sum_to
from .op import op

sigmoid = op("sigmoid", promote=promote.float_only)(lambda x: jax.nn.sigmoid(x))
silu = op("silu", promote=promote.float_only)(lambda x: x * jax.nn.sigmoid(x))
gelu = op("gelu", promote=promote.float_only)(lambda x: smooth.gelu(x))


@op(promote=promote.numeric, quantized=quantized.signed)
def relu(x):
    # As in the reference, float32 NaN gives 0 on the CPU; float16 NaN, and any on a GPU, stays.
    hides_nan = x.dtype == jnp.float32 and jax.default_backend() == "cpu"
    return jnp.where(x > 0 if hides_nan else ~(x <= 0), x, jnp.zeros_like(x))


@op(promote=promote.numeric)
def relu6(x):
    # NaN gives 6, as in the reference on every device.
    six = jnp.full_like(x, 6)
    return jnp.where(x <= 0, jnp.zeros_like(x), jnp.where(x < 6, x, six))


@op(promote=promote.floating, autocast=autocast.high)
def hsigmoid(x):
    return jnp.where(x <= -3, 0, jnp.where(x >= 3, 1, (x + 3) / 6)).astype(x.dtype)


def _hswish_grad(operands, out, ct):
    (x,) = operands
    return (ct * jnp.where(x < -3, 0, jnp.where(x > 3, 1, (2 * x + 3) / 6)).astype(x.dtype),)


@op(promote=promote.float_only, grad=_hswish_grad)
def hswish(x):
    return jnp.where(x < -3, 0, jnp.where(x > 3, x, x * (x + 3) / 6)).astype(x.dtype)


def _prelu_grad(operands, out, ct):
    x, slope = operands
    return sum_to(jnp.where(x >= 0, ct, ct * slope), x), sum_to(jnp.where(x < 0, ct * x, 0), slope)


@op(promote=promote.arithmetic, grad=_prelu_grad)
def prelu(x, slope):
    return jnp.where(x > 0, x, x * slope)


def _softplus_grad(operands, out, ct):
    return (ct * jax.nn.sigmoid(operands[0]),)


@op(promote=promote.floating, grad=_softplus_grad, autocast=autocast.high)
def softplus(x):
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


def _logsigmoid_grad(operands, out, ct):
    return (ct * jax.nn.sigmoid(-operands[0]),)


@op(promote=promote.floating, grad=_logsigmoid_grad, autocast=autocast.high)
def logsigmoid(x):
    return jnp.minimum(x, 0) - jnp.log1p(jnp.exp(-jnp.abs(x)))


def _softmax_grad(operands, out, ct, *, axis):
    return (normalized.softmax_gradient(out, ct, axis),)


@op(promote=promote.float_only, grad=_softmax_grad)
def softmax(x, *, axis):
    return normalized.softmax(x, axis)


@op(promote=promote.floating, autocast=autocast.high)
def logsoftmax(x, *, axis):
    return jax.nn.log_softmax(x, axis)
