"""Common subexpressions: what is computed twice from the same values is computed once."""

from __future__ import annotations

from typing import Any

from ..ir import AnyEquation, Equation, Function, Residuals, Var, VjpEquation


def common_subexpressions(function: Function) -> Function:
    """Have equations with the same op, attributes and inputs share the results of the first of them."""
    values: dict[Var, Var] = {}
    instead: dict[Equation, Equation] = {}
    known: dict[Any, AnyEquation] = {}
    kept: list[AnyEquation] = []
    for equation in function.equations:
        if isinstance(equation, VjpEquation):
            of = instead.get(equation.of, equation.of)
            cotangents = tuple(None if c is None else values.get(c, c) for c in equation.cotangents)
            key: Any = (of, equation.linearised, equation.wrt, cotangents)
            new: AnyEquation = equation.with_vars(cotangents, equation.outputs, of)
        else:
            inputs = tuple(values.get(v, v) if type(v) is Var else v for v in equation.inputs)
            key = (equation.signature, inputs)
            new = equation.with_vars(inputs, equation.outputs)
        first = known.setdefault(key, new)
        if first is new:
            kept.append(new)
        else:
            values.update(zip(equation.outputs, first.outputs, strict=True))
        if isinstance(equation, Equation):
            instead[equation] = first  # type: ignore[assignment]
    outputs = [values.get(v, v) for v in function.outputs]
    residuals = [Residuals(instead[of], linearised) for of, linearised in function.residuals]
    return function.having(equations=kept, outputs=outputs, residuals=residuals)
