"""A plan that the interpreter has run often, as one Python function of straight-line code: no list of steps, no dictionary."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .ir import Residuals, Scalar, Var, VjpEquation
from .lower import Plan, Step
from .written import statements

if TYPE_CHECKING:
    from .host.interpreter import Runner

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
        self.names: dict[Var, str] = {}
        self.residuals: dict[Residuals, list[str]] = {}
        self.count = 0

    def variable(self) -> str:
        """A new one."""
        self.count += 1
        return f"v{self.count}"

    def object(self, value: Any) -> str:
        """The name of something that exists already."""
        name = f"c{len(self.objects)}"
        self.objects[name] = value
        return name

    def operand(self, operand: Var | Scalar) -> str:
        """An expression for it."""
        if type(operand) is Var:
            return self.names[operand]
        kind, k = operand  # type: ignore[misc]
        return {"f": f"floats[{k}]", "i": f"ints[{k}]"}.get(kind, f"(ints[{k}] != 0)")

    def step(self, step: Step) -> Iterator[str]:
        """The statements of one equation."""
        count = len(step.equation.outputs)
        operands = list(map(self.operand, step.operands))
        if isinstance(step.equation, VjpEquation):
            assert step.key is not None
            operands = [*self.residuals[step.key], *operands]
        results = yield from self.inner(step.traced.interpreted, operands)
        self.names.update(zip(step.equation.outputs, results, strict=False))
        if step.key is not None and not isinstance(step.equation, VjpEquation):
            self.residuals[step.key] = results[count:]
            for traced, key in step.again:
                results = yield from self.inner(traced.interpreted, operands)
                self.residuals[key] = results[count:]
        gone = [name for what in step.dropped for name in self.variables(what)]
        if gone:
            yield "".join(f"{name} = " for name in gone) + "None"

    def variables(self, what: Any) -> list[str]:
        """Those of a value, or of residuals."""
        return [self.names[what]] if type(what) is Var else self.residuals[what]

    def inner(self, runner: Runner, operands: list[str]) -> Generator[str, None, list[str]]:
        """The statements of a jaxpr; returns the variables of its results, which are its own."""
        skeleton = runner.skeleton
        at: dict[int, str] = {}
        for place, operand in zip(skeleton.arguments, operands, strict=True):
            at[place] = operand
            if not operand.isidentifier():
                at[place] = self.variable()
                yield f"{at[place]} = {operand}"
        given = set(at)

        def name(place: int) -> str:
            if place not in at:
                constant = skeleton.initial[place]
                at[place] = self.variable() if constant is None else self.object(constant)
            return at[place]

        for call, (sources, targets, multiple, dropped) in zip(runner.calls, skeleton.wiring, strict=True):
            own = tuple([place for place in dropped if place not in given])
            yield from statements(self.object(call), (sources, targets, multiple, own), name)
        results = [self.variable() for _ in skeleton.results]
        for result, place in zip(results, skeleton.results, strict=True):
            yield f"{result} = {name(place)}"
        inner = [at[p] for p in dict.fromkeys(skeleton.results) if p not in given and skeleton.initial[p] is None]
        if inner:
            yield "".join(f"{name} = " for name in inner) + "None"
        return results

    def extra(self, where: Any) -> str:
        """An expression for an array that only pullbacks need."""
        if type(where) is Var:
            return self.names[where]
        if type(where) is Scalar:
            return f"asarray({self.operand(where)})"
        key, k = where
        return f"asarray({self.residuals[key][k]})"

    def function(self) -> Callable[..., list[Any]]:
        plan, function = self.plan, self.plan.function
        for var in function.inputs:
            self.names[var] = self.variable()
        scalars = ["floats"] * bool(function.floats) + ["ints"] * bool(function.ints)
        arguments = ", ".join([*scalars, *[self.names[var] for var in function.inputs]])
        for var, array in function.constants.items():
            self.names[var] = self.object(np.asarray(array))
        body = [line for step in plan.steps for line in self.step(step)]
        results = ", ".join([*[self.names[var] for var in plan.results], *map(self.extra, plan.extra)])
        text = "\n    ".join([f"def straight({arguments}):", *body, f"return [{results}]"])
        exec(compile(text, "<straight-line code of a program>", "exec"), self.objects)
        made: Callable[..., list[Any]] = self.objects["straight"]
        return made
