"""Transpositions of transpositions: the pattern of a pass that rewrites what it finds in the graph."""

from __future__ import annotations

from ...ops.shape import transpose
from ..infer import infer
from ..ir import Equation, Function, Var
from .dead import dead_code


def cancel_transposes(function: Function) -> Function:
    """Read through pairs of transpositions: one of them is left, or none where they cancel."""
    producer = function.producer()
    values: dict[Var, Var] = {}
    equations: dict[Equation, Equation | None] = {}
    for outer in function.equations:
        if not isinstance(outer, Equation) or outer.op is not transpose:
            continue
        between = outer.inputs[0]
        inner = producer.get(between) if isinstance(between, Var) else None
        if not isinstance(inner, Equation) or inner.op is not transpose:
            continue
        inner = equations.get(inner, inner) or inner
        source, (out,) = inner.inputs[0], outer.outputs
        first, second = inner.attributes["pattern"], outer.attributes["pattern"]
        if "x" in (*first, *second):  # those also add axes of length 1
            continue
        source = values.get(source, source)  # type: ignore[arg-type, assignment]
        pattern = tuple(first[k] for k in second)
        if pattern == tuple(range(len(pattern))) and isinstance(source, Var) and source.aval is out.aval:
            values[out] = source
        else:
            signature = infer(transpose, (pattern,), (source.aval,))  # type: ignore[union-attr]
            equations[outer] = Equation(signature, (source,), (out,), outer.number, outer.source, outer.scope)
    return dead_code(function.replace(values, equations)) if values or equations else function
