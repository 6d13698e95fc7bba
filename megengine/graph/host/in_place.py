"""Which elementwise equations may write their result over an operand that nothing needs after them.

New memory has to be found, and often fetched, for each result: chains of elementwise equations over large arrays take two
thirds of the time so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .elementwise import EXACT, UFUNCS
from .narrow import is_integer, is_narrow
from .rules import Equation

# What runs these is NumPy's ufunc itself, which takes where to write its result behind the operands.
WRITERS = frozenset([*UFUNCS, *EXACT, "div", "square"]) - {
    *("real", "imag", "conj"),  # may be views
    *("max", "min"),  # take it by name only
}
# What these give is an array of its own, which shares memory with none of their operands.
FRESH = WRITERS | {
    *("max", "min", "one_minus_square", "logistic", "rsqrt", "erf", "erfc", "pow", "dot_general"),
    *("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "select_or_zero", "zero_or_select"),
}
Planned = Sequence[tuple[Equation, tuple[int, ...], tuple[int, ...]]]


def in_place(eqns: Planned, dropped: Mapping[int, Sequence[int]]) -> list[tuple[int, ...]]:
    """The places that each equation is called with: its operands, and behind them the one that its result is written to, if any.

    Args:
        eqns: the equations with the places of their operands and results, in order.
        dropped: by number of an equation the places that nothing reads after it.
    """
    owned: dict[int, Any] = {t[0]: e.outvars[0].aval for e, _, t in eqns if len(t) == 1 and _gives_fresh(e)}
    for eqn, sources, _ in eqns:
        if not _gives_fresh(eqn):
            owned.update(dict.fromkeys(sources))  # something may be a view of them
    return [
        (*sources, *[p for p in sources if p in dropped.get(n, ()) and _fits(eqn, owned.get(p))][:1])
        for n, (eqn, sources, _) in enumerate(eqns)
    ]


def _gives_fresh(eqn: Equation) -> bool:
    return eqn.primitive.name in FRESH and bool(eqn.params.get("axes", True))


def _fits(eqn: Equation, operand: Any) -> bool:
    """Whether the result of an equation can be written over an operand of its own that this describes."""
    result = eqn.outvars[0].aval if len(eqn.outvars) == 1 else None
    if operand is None or result is None or eqn.primitive.name not in WRITERS:
        return False
    dtype = np.dtype(result.dtype)
    if is_narrow(dtype) or (eqn.primitive.name == "div" and is_integer(dtype)):
        return False
    return bool(result.shape) and operand.shape == result.shape and operand.dtype == dtype
