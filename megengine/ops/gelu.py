"""The Gaussian error linear unit of float32 as primitives of JAX: its value alone, and with its derivative."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from .composite import composite


def _value(x):
    return [jax.nn.gelu(x, approximate=False)]


def _value_and_slope(x):
    return jax.jvp(lambda x: jax.nn.gelu(x, approximate=False), (x,), (jnp.ones_like(x),))


_gelu = composite("gelu", _value, (0,))
_gelu_and_slope = composite("gelu_and_slope", _value_and_slope, (0, 0))


def _jvp(primals, tangents):
    value, slope = _gelu_and_slope.bind(*primals)
    (tangent,) = tangents
    return [value], [tangent if type(tangent) is ad.Zero else slope * tangent]


ad.primitive_jvps[_gelu] = _jvp


def gelu(x):
    """``x * Phi(x)``, where Phi is the distribution function of the normal distribution."""
    if x.dtype != jnp.float32:
        return jax.nn.gelu(x, approximate=False)
    return _gelu.bind(x)[0]
