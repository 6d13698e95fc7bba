"""Which result takes over the buffer of which dead input.

A buffer is written where its partner is computed; a partner that is computed before the last reading of the input costs
a copy of the input. So a parameter's partner is its own update, not a gradient that happens to have its shape.
"""

from __future__ import annotations

from .ir import AnyEquation, Equation, Function, Var
from .value import Aval

REACH = 8


def pair(function: Function, count: int, candidates: tuple[int, ...]) -> dict[int, int]:
    """Partners of inputs that may be overwritten.

    Args:
        function: the function.
        count: how many of its outputs are results.
        candidates: which inputs (by number) may be overwritten.

    Returns:
        For each input that finds one, the number of a result of its shape and dtype: the one computed from it in the
        fewest element-wise steps, else the one computed last.
    """
    avals = {function.inputs[k].aval for k in candidates}
    if not any(var.aval in avals for var in function.outputs[:count]):
        return {}
    producer = function.producer()
    order = {var: k for k, var in enumerate(producer)}
    numbers: dict[Var, int] = {}
    free: dict[Aval, list[Var]] = {}
    for number, var in enumerate(function.outputs[:count]):
        if var not in numbers and var in producer and var.aval in avals:
            free.setdefault(var.aval, []).append(var)
            numbers[var] = number
    wanted = {function.inputs[k]: k for k in candidates if function.inputs[k].aval in free}
    found = sorted(
        (distance, -order[var], numbers[var], wanted[source])
        for outputs in free.values()
        for var in outputs
        for source, distance in _sources(var, wanted, producer).items()
        if source.aval is var.aval
    )
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, number, k in found:
        if k not in partners and number not in taken:
            partners[k] = number
            taken.add(number)
    for source, k in wanted.items():
        if k in partners:
            continue
        left = free[source.aval]
        while left and numbers[left[-1]] in taken:
            left.pop()
        if left:
            partners[k] = numbers[left[-1]]
            taken.add(partners[k])
    return partners


def _sources(var: Var, wanted: dict[Var, int], producer: dict[Var, AnyEquation]) -> dict[Var, int]:
    """The wanted inputs that a result is computed from through values of its own shape, with the number of steps."""
    shape = var.aval.shape
    found: dict[Var, int] = {}
    frontier, seen = {var}, {var}
    for distance in range(1, REACH + 1):
        reached = {read for v in frontier for read in _computed_from(v, producer[v])}
        for v in reached & wanted.keys():
            found.setdefault(v, distance)
        frontier = {v for v in reached - seen if v in producer and v.aval.shape == shape}
        seen |= frontier
    return found


def _computed_from(var: Var, equation: AnyEquation) -> tuple[Var, ...]:
    """The values that a result may be written over."""
    if not isinstance(equation, Equation):
        return ()
    replaced = equation.op.replaces
    if not replaced:
        return equation.reads()
    replaced_by_it = equation.inputs[replaced[equation.outputs.index(var)]]
    return (replaced_by_it,) if isinstance(replaced_by_it, Var) else ()
