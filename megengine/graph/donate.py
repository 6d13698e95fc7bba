"""Which result takes over the buffer of which dead input.

A buffer is written where its partner is computed; a partner that is computed before the last reading of the input costs
a copy of the input. So a parameter's partner is its own update, not a gradient that happens to have its shape.
"""

from __future__ import annotations

from .structure import Instr, Pull, State
from .value import Aval

REACH = 8


def pair(state: State, live: tuple[int, ...], candidates: tuple[int, ...]) -> dict[int, int]:
    """Partners of inputs that may be overwritten.

    Args:
        state: the structure.
        live: positions of its results.
        candidates: which inputs (by number) may be overwritten.

    Returns:
        For each input that finds one, the position of a result of its shape and dtype: the one computed from it in the
        fewest element-wise steps, else the one computed last.
    """
    inputs = state.input_positions()
    results = state.results()
    makers = {step.instr.start + k: step.instr for step in state.path() for k in range(len(step.avals))}
    free: dict[Aval, list[int]] = {}
    for position in live:
        free.setdefault(results[position], []).append(position)
    wanted = {inputs[k][0]: k for k in candidates if inputs[k][1] in free}
    found = sorted(
        (distance, -makers[position].start, position, wanted[source])
        for known, outputs in free.items()
        for position in outputs
        for source, distance in _sources(position, wanted, makers, results).items()
        if inputs[wanted[source]][1] is known
    )
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, position, k in found:
        if k not in partners and position not in taken:
            partners[k] = position
            taken.add(position)
    for k in wanted.values():
        left = [p for p in free[inputs[k][1]] if p not in taken]
        if k not in partners and left:
            partners[k] = left[-1]
            taken.add(left[-1])
    return partners


def _sources(
    position: int, wanted: dict[int, int], makers: dict[int, Instr | Pull], results: dict[int, Aval]
) -> dict[int, int]:
    """The wanted inputs that a result is computed from through values of its own shape, with the number of steps."""
    shape = results[position].shape
    found: dict[int, int] = {}
    frontier, seen = {position}, {position}
    for distance in range(1, REACH + 1):
        reached: set[int] = set()
        for p in frontier:
            instr = makers[p]
            if isinstance(instr, Instr):
                reached.update(o for o in instr.operands if isinstance(o, int))
        for p in reached & wanted.keys():
            found.setdefault(p, distance)
        frontier = {p for p in reached - seen if p in results and results[p].shape == shape}
        seen |= frontier
    return found
