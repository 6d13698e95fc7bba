"""Numbers as unevaluated sums of two float32, for the few places where the reference computes in float64.

Dekker, A Floating-Point Technique for Extending the Available Precision, 1971.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax


def _halves(x):
    """``x`` as a sum of two numbers of 12 bits, whose products are exact."""
    high = lax.bitcast_convert_type(lax.bitcast_convert_type(x, jnp.uint32) & jnp.uint32(0xFFFFF000), jnp.float32)
    return high, x - high


def _sum(a, b):
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def product(a, b):
    """``a * b`` of two float32 arrays, of partial products that are exact: a compiler may fuse them with any sum."""
    (ah, al), (bh, bl) = _halves(a), _halves(b)
    return _sum(ah * bh, (ah * bl + al * bh) + al * bl)


def add(x, y):
    """Sum of two pairs."""
    total, rest = _sum(x[0], y[0])
    return _sum(total, rest + (x[1] + y[1]))


def ratio(x, y):
    """Quotient of two pairs."""
    first = x[0] / y[0]
    back = [product(first, part) for part in y]
    left = add(x, tuple(-part for part in add(*back)))
    return _sum(first, left[0] / y[0])


def whole(x, factor):
    """A pair times a power of two, rounded to an integer in float32, halves to even."""
    high, low = x[0] * factor, x[1] * factor
    nearest = jnp.rint(high)
    return nearest + jnp.rint((high - nearest) + low)
