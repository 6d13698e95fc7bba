"""Functions as text, one equation a line, with names, shapes, dtypes and source lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .equations import AnyEquation, Scalar, Var, VjpEquation

if TYPE_CHECKING:
    from .ir import Function


def text(function: Function) -> str:
    """What a person reads of a function."""
    return "\n".join(lines(function, Names(function)))


class Names:
    """A distinct name for each value of a function: its own, or ``%`` and its number."""

    def __init__(self, function: Function) -> None:
        self._of: dict[Var, str] = {}
        self._taken: set[str] = set()
        self._made = 0
        for var in (*function.inputs, *function.constants):
            self.add(var)
        for equation in function.equations:
            for var in equation.outputs:
                self.add(var)

    def add(self, var: Var) -> None:
        """Give a value a name."""
        if var in self._of:
            return
        name = var.name or (f"%{var.position}" if var.position is not None else "")
        while not name or name in self._taken:
            name, self._made = f"{var.name or '%v'}{self._made}", self._made + 1
        self._of[var] = name
        self._taken.add(name)

    def __getitem__(self, var: Var) -> str:
        return self._of.get(var, "undefined")

    def operand(self, operand: Any) -> str:
        """An equation's input; a missing cotangent is 0."""
        if operand is None:
            return "0"
        return f"{operand.kind}{operand.number}" if type(operand) is Scalar else self[operand]


def lines(function: Function, names: Names) -> Iterator[str]:
    """The lines of a function's text."""
    for var in function.inputs:
        yield f"{names[var]}: {var.aval!r} = input"
    for var in function.constants:
        yield f"{names[var]}: {var.aval!r} = constant"
    for equation in function.equations:
        outs = ", ".join(f"{names[v]}: {v.aval!r}" for v in equation.outputs)
        where = "    # " + " in ".join(filter(None, (equation.source, ".".join(equation.scope))))
        yield f"{outs} = {call(equation, names)}{where if len(where) > 6 else ''}"
    for of, linearised in function.residuals:
        yield f"keep residuals of {names[of.outputs[0]]} for operands {', '.join(map(str, linearised))}"
    yield "return " + ", ".join(names[v] for v in function.outputs)


def call(equation: AnyEquation, names: Names) -> str:
    """The right side of an equation's line."""
    if isinstance(equation, VjpEquation):
        cotangents = ", ".join(map(names.operand, equation.cotangents))
        wrt = ", ".join(names.operand(equation.of.inputs[k]) for k in equation.wrt)
        return f"vjp of {equation.of.name} {names[equation.of.outputs[0]]} ({cotangents}) wrt {wrt}"
    operands = [
        names.operand(v) if cast is None else f"{names.operand(v)} as {cast.name}"
        for v, cast in zip(equation.inputs, equation.signature.casts, strict=True)
    ]
    settings = [f"{name}={value!r}" for name, value in equation.attributes.items()]
    return f"{equation.name}({', '.join([*operands, *settings])})"
