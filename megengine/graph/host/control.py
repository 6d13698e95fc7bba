"""Control flow: what holds jaxprs of its own, which are interpreted when the outer one is."""

from __future__ import annotations

from typing import Any

import numpy as np

from .calls import as_closed, divided
from .interpreter import Interpreted, nested
from .rules import Equation, Run, rule


def _inner(jaxpr: Any) -> Interpreted:
    return nested(as_closed(jaxpr))


@rule("platform_index")
def platform_index(eqn: Equation) -> Run:
    platforms = eqn.params["platforms"]
    here = [k for k, names in enumerate(platforms) if names is None or "cpu" in names]
    index = np.int32(here[0])
    return lambda: index


@rule("cond")
def cond(eqn: Equation) -> Run:
    branches = [_inner(b) for b in eqn.params["branches"]]
    last = len(branches) - 1
    return lambda index, *arrays: branches[min(max(int(index), 0), last)](*arrays)


@rule("while")
def while_(eqn: Equation) -> Run:
    test, body = _inner(eqn.params["cond_jaxpr"]), _inner(eqn.params["body_jaxpr"])
    first = eqn.params["cond_nconsts"]
    second = first + eqn.params["body_nconsts"]

    def run(*arrays: Any) -> Any:
        of_test, of_body = arrays[:first], arrays[first:second]
        state: Any = arrays[second:]
        while test(*of_test, *state)[0]:
            state = body(*of_body, *state)
        return state

    return run


@rule("scan")
def scan(eqn: Equation) -> Run:
    params = eqn.params
    body, length = _inner(params["jaxpr"]), params["length"]
    first, carried = divided(eqn)
    second = first + carried
    turns = range(length - 1, -1, -1) if params["reverse"] else range(length)
    stacked = [(v.aval.shape, v.aval.dtype) for v in eqn.outvars[carried:]]

    def run(*arrays: Any) -> Any:
        constants, sequences = arrays[:first], arrays[second:]
        state: Any = arrays[first:second]
        outs = [np.empty(*of) for of in stacked]
        for turn in turns:
            results = body(*constants, *state, *[s[turn] for s in sequences])
            state = results[:carried]
            for out, value in zip(outs, results[carried:], strict=True):
                out[turn] = value
        return [*state, *outs]

    return run


@rule("custom_linear_solve")
def custom_linear_solve(eqn: Equation) -> Run:
    lengths, solve = eqn.params["const_lengths"], _inner(eqn.params["jaxprs"].solve)
    first = lengths.matvec + lengths.vecmat
    second, last = first + lengths.solve, first + lengths.solve + lengths.transpose_solve
    return lambda *arrays: solve(*arrays[first:second], *arrays[last:])


@rule("dim_as_value")
def dim_as_value(eqn: Equation) -> Run:
    """A size that is computed with; its jaxpr serves several sizes."""
    value = np.asarray(eqn.params["dim"], eqn.outvars[0].aval.dtype)
    return lambda: value
