"""How the elements of a value are divided among devices."""

from __future__ import annotations

from jax import lax

from .op import op


@op()
def partitioned(x, *, sharding):
    """The operand, whose elements lie on devices as a JAX sharding says."""
    return lax.with_sharding_constraint(x, sharding)
