"""A jaxpr with what it calls written out in place, and how often each value is used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from jax.extend.core import ClosedJaxpr, Literal

from ..host.calls import called


class Name:
    """A value of a flat jaxpr."""

    __slots__ = ("aval",)

    def __init__(self, aval: Any) -> None:
        self.aval = aval


@dataclass(frozen=True, eq=False)
class Step:
    """An equation; its operands are names and literals."""

    primitive: Any
    params: dict[str, Any]
    ctx: Any
    invars: list[Any]
    outvars: list[Name]


class Flat:
    """A jaxpr without calls.

    Attributes:
        inputs: its arguments.
        constants: arrays by name.
        steps: its equations.
        outputs: what it returns.
        uses: how often each name is read, or returned.
        producer: the step that computes a name.
    """

    def __init__(self, closed: ClosedJaxpr) -> None:
        self.inputs = [Name(v.aval) for v in closed.jaxpr.invars]
        self.constants: dict[Name, Any] = {}
        self.steps: list[Step] = []
        self.outputs = self._written_out(closed, self.inputs)
        read = [v for step in self.steps for v in step.invars]
        self.uses = Counter(v for v in (*read, *self.outputs) if type(v) is Name)
        self.producer = {name: step for step in self.steps for name in step.outvars}

    def _written_out(self, closed: ClosedJaxpr, operands: list[Any]) -> list[Any]:
        jaxpr = closed.jaxpr
        names: dict[Any, Any] = dict(zip(jaxpr.invars, operands, strict=True))
        for var, array in zip(jaxpr.constvars, closed.consts, strict=True):
            names[var] = Name(var.aval)
            self.constants[names[var]] = array

        def of(v: Any) -> Any:
            return v if isinstance(v, Literal) else names[v]

        for eqn in jaxpr.eqns:
            given, body = list(map(of, eqn.invars)), called(eqn)
            if body is not None:
                made = self._written_out(body, given)
            else:
                made = [Name(v.aval) for v in eqn.outvars]
                self.steps.append(Step(eqn.primitive, eqn.params, eqn.ctx, given, made))
            names.update(zip(eqn.outvars, made, strict=True))
        return list(map(of, jaxpr.outvars))
