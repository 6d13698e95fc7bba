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
    producer = function.producer()
    order = {var: k for k, var in enumerate(producer)}
    free: dict[Aval, list[Var]] = {}
    for var in dict.fromkeys(function.outputs[:count]):
        if var in producer:
            free.setdefault(var.aval, []).append(var)
    wanted = {function.inputs[k]: k for k in candidates if function.inputs[k].aval in free}
    found = sorted(
        (distance, -order[var], function.outputs.index(var), wanted[source])
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
        left = [n for v in free[source.aval] if (n := function.outputs.index(v)) not in taken]
        if k not in partners and left:
            partners[k] = left[-1]
            taken.add(left[-1])
    return partners


def _sources(var: Var, wanted: dict[Var, int], producer: dict[Var, AnyEquation]) -> dict[Var, int]:
    """The wanted inputs that a result is computed from through values of its own shape, with the number of steps."""
    shape = var.aval.shape
    found: dict[Var, int] = {}
    frontier, seen = {var}, {var}
    for distance in range(1, REACH + 1):
        reached: set[Var] = set()
        for v in frontier:
            equation = producer[v]
            if isinstance(equation, Equation):
                reached.update(equation.reads())
        for v in reached & wanted.keys():
            found.setdefault(v, distance)
        frontier = {v for v in reached - seen if v in producer and v.aval.shape == shape}
        seen |= frontier
    return found
