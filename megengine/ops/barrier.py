"""What a compiler may not look through."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from .loops import cond
from .op import op


@op(differentiable=False)
def barrier(*xs):
    """Its operands, none of which is there before all are; the last is floating."""
    if jax.default_backend() != "cpu":
        return lax.optimization_barrier(xs)
    # For CPUs XLA takes barriers away before it looks for what is computed twice. It cannot tell that this always holds.
    always = xs[-1].reshape(-1)[:1].sum() * 0 != 1
    return cond(always, lambda *held: held, lambda *held: tuple(map(jnp.zeros_like, held)), *xs)


@op(differentiable=False)
def after(x, *others):
    """``x``, bit for bit, once the others are there; all are of real numbers in up to 32 bits, the others not empty."""
    kind = _bits(x)
    none = kind(0)
    for other in others:
        first = lax.slice(other, (0,) * other.ndim, (1,) * other.ndim).reshape(())
        bits = lax.bitcast_convert_type(first, _bits(other))
        # Nothing is left after both shifts, which XLA cannot tell.
        all_but_one = bits.dtype.type(8 * bits.dtype.itemsize - 1)
        left = lax.shift_right_logical(lax.shift_right_logical(bits, all_but_one), bits.dtype.type(1))
        none |= left.astype(kind)
    return lax.bitcast_convert_type(lax.bitcast_convert_type(x, kind) | none, x.dtype)


def _bits(x):
    """The unsigned integers of a float's size."""
    return jnp.dtype(f"uint{8 * x.dtype.itemsize}").type
