"""Normalisation of batches and its gradient, as what they are made of."""

from __future__ import annotations

from functools import partial

import jax

from ...ops.composite import PLAIN
from .interpreter import nested
from .rules import Equation, Run, rule


@rule("normalize_batch", "normalize_batch_gradient")
def composed(eqn: Equation) -> Run:
    plain = partial(PLAIN[eqn.primitive.name], **eqn.params)
    structs = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    return nested(jax.make_jaxpr(plain)(*structs))
