"""Ops without a rule of their own, by what JAX makes of them: a rule for each of its primitives, at sizes that are fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph.host.calls import called, divided
from ..package import OnnxError
from .graph import Graph

Primitive = Callable[[Graph, Any, list[str]], "str | list[str]"]
PRIMITIVES: dict[str, Primitive] = {}
STEPS = 256  # of a loop, which is written out


def primitive(*names: str) -> Callable[[Primitive], Primitive]:
    """Declare the decorated function as the rule of primitives."""

    def declare(function: Primitive) -> Primitive:
        PRIMITIVES.update(dict.fromkeys(names, function))
        return function

    return declare


def decomposed(g: Graph, closed: Any, inputs: Sequence[str]) -> list[str]:
    """What a jaxpr computes of these values.

    Raises:
        OnnxError: it has a primitive without a rule.
    """
    jaxpr = closed.jaxpr
    constants = [g.const(np.asarray(c)) for c in closed.consts]
    env: dict[Any, str] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *inputs), strict=True))

    def read(atom: Any) -> str:
        return g.const(np.asarray(atom.val, atom.aval.dtype)) if hasattr(atom, "val") else env[atom]

    for equation in jaxpr.eqns:
        given, body = [read(a) for a in equation.invars], called(equation)
        if body is not None:
            made: str | list[str] = decomposed(g, body, given)
        elif (found := PRIMITIVES.get(equation.primitive.name)) is not None:
            made = found(g, equation, given)
        else:
            raise OnnxError(f"{equation.primitive.name} of JAX, which it is made of, has no form there")
        env.update(zip(equation.outvars, [made] if isinstance(made, str) else made, strict=True))
    return [read(a) for a in jaxpr.outvars]


@primitive("scan")
def _scan(g: Graph, e: Any, inputs: list[str]) -> list[str]:
    """Written out step by step."""
    p = e.params
    length, (fixed, carried) = p["length"], divided(e)
    if length > STEPS:
        raise OnnxError(f"a loop of {length} steps would be written out")
    constants, state, rows = inputs[:fixed], inputs[fixed : fixed + carried], inputs[fixed + carried :]
    collected: list[tuple[int, list[str]]] = []
    for k in range(length)[:: -1 if p["reverse"] else 1]:
        now = [g.op("Gather", r, g.const(np.array(k)), axis=0) for r in rows]
        results = decomposed(g, p["jaxpr"], [*constants, *state, *now])
        state = results[:carried]
        collected.append((k, results[carried:]))
    columns = zip(*(values for _, values in sorted(collected)), strict=True)
    return [*state, *(g.op("Concat", *(g.unsqueeze(v, 0) for v in column), axis=0) for column in columns)]


def dtype_of(e: Any) -> np.dtype:
    """The dtype of the first result."""
    return np.dtype(e.outvars[0].aval.dtype)
