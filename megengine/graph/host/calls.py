"""Equations that only call a jaxpr, which are replaced by what they call."""

from __future__ import annotations

from typing import Any

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
    name = CALLS.get(eqn.primitive.name)
    return None if name is None else as_closed(eqn.params[name])


def as_closed(jaxpr: Any) -> Any:
    """A jaxpr of an equation with its constants, which are none where it has not said so."""
    return ClosedJaxpr(jaxpr, ()) if isinstance(jaxpr, Jaxpr) else jaxpr
