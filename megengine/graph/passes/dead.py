"""Dead code: what no result needs is not computed."""

from __future__ import annotations

from ..ir import AnyEquation, Equation, Function, VjpEquation


def dead_code(function: Function) -> Function:
    """Leave out equations whose results nothing reads or returns.

    An op with a rule on its operands' values stays: that it got values that it does not take is to be told.
    """
    needed = set(function.outputs)
    wanted: set[AnyEquation] = {of for of, _ in function.residuals}
    kept: list[AnyEquation] = []
    for equation in reversed(function.equations):
        checked = type(equation) is Equation and equation.signature.op.valid is not None
        if checked or not needed.isdisjoint(equation.outputs) or equation in wanted:
            kept.append(equation)
            needed.update(equation.reads())
            if isinstance(equation, VjpEquation):
                wanted.add(equation.of)
    return function if len(kept) == len(function.equations) else function.having(equations=reversed(kept))
