"""What a result is written over is read before: XLA's CPU copies what may be read later, and it sees no order by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jax.extend.core import Literal

from ...ops.barrier import after
from ..infer import infer
from ..ir import AnyEquation, Equation, Function, Var, VjpEquation
from ..traced import Linearised, linearised


def updates_last(function: Function, overwritten: Iterable[int]) -> Function:
    """Have inputs written over once the gradients that are computed from them are there.

    A layer's update needs the gradient of its weights only. That of its input is computed from the weights, too, and may come
    later: then each weight would be copied before.

    Args:
        function: the function.
        overwritten: which of its inputs results are written over.
    """
    late, users = _read_late(function), function.users()
    fixed = {e.of for e in function.equations if isinstance(e, VjpEquation)}
    place = {out: n for n, e in enumerate(function.equations) for out in e.outputs}
    waiting: dict[AnyEquation, dict[Var, Equation]] = {}
    for var in (function.inputs[k] for k in overwritten):
        update = users[var][-1] if var in late else None
        if not isinstance(update, Equation) or update in fixed or not _can_wait(var):
            continue
        others = tuple(v for v in dict.fromkeys(late[var]) if _can_wait(v) and place[v] < place[update.outputs[0]])
        if others:
            signature = infer(after, (), tuple(v.aval for v in (var, *others)))
            read = Equation(signature, (var, *others), (Var(var.aval),), update.number, update.source, update.scope)
            waiting.setdefault(update, {})[var] = read
    equations: list[AnyEquation] = []
    for equation in function.equations:
        if equation in waiting:
            assert isinstance(equation, Equation)
            found = waiting[equation]
            equations += found.values()
            inputs = tuple(found[v].outputs[0] if v in found else v for v in equation.inputs)
            equation = equation.with_vars(inputs, equation.outputs)
        equations.append(equation)
    return function.having(equations=equations)


def _can_wait(var: Var) -> bool:
    """Whether it is an array of real numbers whose bits JAX looks at by default."""
    return var.aval.dtype.kind in "fV" and var.aval.dtype.itemsize <= 4 and var.aval.size > 0


def _read_late(function: Function) -> dict[Var, list[Var]]:
    """Values from which gradients of others are computed, with those gradients."""
    read = {v for e in function.equations for v in e.reads()} | set(function.outputs)
    found: dict[Var, list[Var]] = {}
    for e in function.equations:
        if isinstance(e, VjpEquation):
            for k in _kept(linearised(e.of.signature, e.linearised)):
                value = e.of.inputs[k]
                of_others = [v for j, v in zip(e.wrt, e.outputs, strict=True) if j != k and v in read]
                if isinstance(value, Var) and of_others:
                    found.setdefault(value, []).extend(of_others)
    return found


def _kept(forward: Linearised) -> set[int]:
    """The operands that residuals are computed from."""
    jaxpr = forward.closed.jaxpr
    sources: dict[Any, set[int]] = {v: {k} for k, v in enumerate(jaxpr.invars)}

    def of(atoms: Iterable[Any]) -> set[int]:
        return set().union(*(sources.get(a, ()) for a in atoms if not isinstance(a, Literal)))

    for eqn in jaxpr.eqns:
        sources.update(dict.fromkeys(eqn.outvars, of(eqn.invars)))
    return of(jaxpr.outvars[forward.count :])
