"""A plan that the interpreter has run often, as one Python function of straight-line code: no list of steps, no dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .ir import Residuals, Scalar, Var, VjpEquation
from .lower import Plan, Step

WORTH_IT = 25  # runs: compiling a line takes about as long as this many runs of it save


def function(plan: Plan) -> Callable[..., list[Any]] | None:
    """What ``plan.callable(numpy, ...)`` gives, faster to call; None for a plan that looks at values.

    Args:
        plan: the plan, whose jaxprs the interpreter has run.
    """
    return None if plan.check_nan or plan.checks or plan.guards else _Writer(plan).function()


class _Writer:
    """The text of a plan's function, and the objects that it names."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.objects: dict[str, Any] = {"asarray": np.asarray}
        self.names: dict[Any, str] = {}

    def name(self, of: Var | Residuals) -> str:
        """The variable of a value, or of the list of residuals."""
        return self.names.setdefault(of, f"{'v' if type(of) is Var else 'r'}{len(self.names)}")

    def object(self, value: Any) -> str:
        """The name of something that exists already."""
        name = f"c{len(self.objects)}"
        self.objects[name] = value
        return name

    def operand(self, operand: Var | Scalar) -> str:
        """An expression for it."""
        if type(operand) is Var:
            return self.name(operand)
        kind, k = operand  # type: ignore[misc]
        return {"f": f"floats[{k}]", "i": f"ints[{k}]"}.get(kind, f"(ints[{k}] != 0)")

    def step(self, step: Step) -> Iterable[str]:
        """The statements of one equation."""
        operands = ", ".join(map(self.operand, step.operands))
        outputs = "".join(f"{self.name(var)}, " for var in step.equation.outputs)
        call = self.object(step.traced.interpreted)
        if isinstance(step.equation, VjpEquation):
            assert step.key is not None
            yield f"{outputs}= {call}(*{self.name(step.key)}, {operands})"
        else:
            kept = "" if step.key is None else f"*{self.name(step.key)},"
            yield f"{outputs}{kept} = {call}({operands})"
            for traced, key in step.again:
                yield f"{self.name(key)} = {self.object(traced.interpreted)}({operands})[{len(step.equation.outputs)}:]"
        if step.dropped:
            yield "".join(f"{self.name(what)} = " for what in step.dropped) + "None"

    def extra(self, where: Any) -> str:
        """An expression for an array that only pullbacks need."""
        if type(where) is Var:
            return self.name(where)
        if type(where) is Scalar:
            return f"asarray({self.operand(where)})"
        key, k = where
        return f"asarray({self.name(key)}[{k}])"

    def function(self) -> Callable[..., list[Any]]:
        plan, function = self.plan, self.plan.function
        scalars = ["floats"] * bool(function.floats) + ["ints"] * bool(function.ints)
        arguments = ", ".join([*scalars, *map(self.name, function.inputs)])
        for var, array in function.constants.items():
            self.names[var] = self.object(np.asarray(array))
        body = [line for step in plan.steps for line in self.step(step)]
        results = ", ".join([*map(self.name, plan.results), *map(self.extra, plan.extra)])
        text = "\n    ".join([f"def straight({arguments}):", *body, f"return [{results}]"])
        exec(compile(text, "<straight-line code of a program>", "exec"), self.objects)
        made: Callable[..., list[Any]] = self.objects["straight"]
        return made
