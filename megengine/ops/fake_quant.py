"""Quantization as real numbers: values are rounded to the steps of a quantised dtype and stay floating-point.

The gradients are those of the straight-through estimator, as in the reference.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from . import promote
from .elemwise import nearest
from .op import op
from .sizes import unbroadcast


def _within(x, qmin, qmax):
    # NaN stays.
    return jnp.clip(x, np.float32(qmin), np.float32(qmax))


def _floats(name, kinds):
    """float32 throughout, as the reference's kernels have it."""
    if any(k not in promote.FLOATS for k in kinds):
        promote.refuse(name, kinds, "it takes floating-point values")
    return [promote.FLOAT32] * len(kinds)


def _check(x, *parameters, qmin, qmax):
    for p in parameters:
        try:
            fits = np.broadcast_shapes(p.shape, x.shape) == x.shape
        except ValueError:
            fits = False
        if not fits and p.size != 1:
            raise RuntimeError(f"scale or zero point of shape {p.shape} does not broadcast to {x.shape}")


def _as(parameter, x):
    """A parameter of one element as a scalar, so that the result has the shape of the input."""
    return parameter.reshape(()) if parameter.size == 1 else parameter


def _fake_quant_grad(operands, out, ct, *, qmin, qmax):
    x, scale, zero_point = operands
    at = nearest(x / _as(scale, x)) + _as(zero_point, x)
    return jnp.where((at >= qmin) & (at <= qmax), ct, 0), None, None


@op(promote=_floats, check=_check, grad=_fake_quant_grad, differentiable=(True, False, False))
def fake_quant(x, scale, zero_point, *, qmin, qmax):
    scale, zero_point = _as(scale, x), _as(zero_point, x)
    return (_within(nearest(x / scale) + zero_point, qmin, qmax) - zero_point) * scale


def _tqt_grad(operands, out, ct, *, qmin, qmax):
    x, exponent = operands
    step = jnp.exp2(_as(exponent, x))
    scaled = x / step
    rounded = _within(nearest(scaled), qmin, qmax)
    outside = (scaled < qmin - 0.5) | (scaled > qmax + 0.5)
    share = ct * jnp.where(outside, rounded, rounded - scaled) * step * np.float32(math.log(2.0))
    return jnp.where(outside, 0, ct), unbroadcast(share, exponent.shape)


@op(promote=_floats, check=_check, grad=_tqt_grad)
def tqt(x, exponent, *, qmin, qmax):
    step = jnp.exp2(_as(exponent, x))
    return _within(nearest(x / step), qmin, qmax) * step


def _lsq_grad(operands, out, ct, *, qmin, qmax):
    x, step, zero_point, grad_scale = operands
    at = x / _as(step, x) + _as(zero_point, x)
    small, big = at < qmin, at > qmax
    slope = jnp.where(small, np.float32(qmin), jnp.where(big, np.float32(qmax), nearest(at) - at))
    share = slope * _as(grad_scale, x) * ct
    return jnp.where(small | big, 0, ct), unbroadcast(share, step.shape), None, None


@op(promote=_floats, check=_check, grad=_lsq_grad, differentiable=(True, True, False, False))
def lsq(x, step, zero_point, grad_scale, *, qmin, qmax):
    step, zero_point = _as(step, x), _as(zero_point, x)
    return (nearest(_within(x / step + zero_point, qmin, qmax)) - zero_point) * step
