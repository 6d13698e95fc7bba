"""What a compiler may not look through."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from .op import op


@op(differentiable=False)
def barrier(*xs):
    """Its operands, none of which is there before all are; the last is floating."""
    if jax.default_backend() != "cpu":
        return lax.optimization_barrier(xs)
    # For CPUs XLA takes barriers away before it looks for what is computed twice. It cannot tell that this always holds.
    always = xs[-1].reshape(-1)[:1].sum() * 0 != 1
    return lax.cond(always, lambda *held: held, lambda *held: tuple(map(jnp.zeros_like, held)), *xs)
