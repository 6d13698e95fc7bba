"""Primitives that stand for several, as what they are made of."""

from __future__ import annotations

from functools import partial

import jax

from ...ops.composite import PLAIN
from .interpreter import nested
from .rules import RULES, Equation, Run


def composed(eqn: Equation) -> Run:
    """What runs it by the rules of its parts."""
    plain = partial(PLAIN[eqn.primitive.name], **eqn.params)
    structs = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    return nested(jax.make_jaxpr(plain)(*structs))


for name in PLAIN:
    RULES.setdefault(name, composed)
