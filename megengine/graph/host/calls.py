"""Equations that hold jaxprs, as each version of JAX writes them: those that only call one are replaced by what they call."""

from __future__ import annotations

from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

from .rules import Equation

# Primitives by the parameter that holds the jaxpr.
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "composite": "jaxpr",
    "xla_metadata_call": "jaxpr",
    "call": "call_jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "eval_jaxpr": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vmap_call": "call",
    "linear_call": "callee",
}


def called(eqn: Equation) -> ClosedJaxpr | None:
    """The jaxpr that an equation does nothing but call."""
    name = eqn.primitive.name
    if name == "call_hi_primitive":
        return _expanded(eqn)
    return as_closed(eqn.params[CALLS[name]]) if name in CALLS else None


def _expanded(eqn: Equation) -> ClosedJaxpr:
    """What a primitive of primitives is made of; JAX has such from 0.12 on (``jax.experimental.hijax``)."""
    made = eqn.params["_prim"]

    def expand(*operands: Any) -> Any:
        return jax.tree.leaves(made.expand(*jax.tree.unflatten(made.in_tree, operands)))

    return jax.make_jaxpr(expand)(*[jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars])


def as_closed(jaxpr: Any) -> Any:
    """A jaxpr of an equation with its constants, which are none where it cannot have any."""
    return ClosedJaxpr(jaxpr, ()) if isinstance(jaxpr, Jaxpr) and not hasattr(jaxpr, "consts") else jaxpr


def divided(scan: Equation) -> tuple[int, int]:
    """How many operands of a ``scan`` are the same at each turn, and how many the turns carry; the rest goes along."""
    # What goes along has a dimension more outside than inside; versions of JAX say it each in their own way.
    inside = getattr(scan.params["jaxpr"], "jaxpr", scan.params["jaxpr"])
    carried = sum(a.aval.ndim == b.aval.ndim for a, b in zip(scan.outvars, inside.outvars, strict=True))
    whole = sum(a.aval.ndim == b.aval.ndim for a, b in zip(scan.invars, inside.invars, strict=True))
    return whole - carried, carried
