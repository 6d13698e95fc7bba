"""An error of a library that a program calls, with the op and the user's line.

The library names what it computes by shapes, in both tiers and in executables that other processes have compiled; equations
of these shapes are looked for when something has failed, and nothing is written down before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..ops.onednn.library import OneDNNError
from .host.calls import called
from .ir import AnyEquation
from .program import Program
from .source import Source, text

_FAILED = re.compile(
    r"oneDNN: (?P<why>.*?) in (?P<kind>convolve\w*) of (?P<x>\([\d, ]*\)) with (?P<kernel>\([\d, ]*\))"
)


def located(error: Exception, program: Program, sources: Sequence[Source]) -> Exception:
    """The error to be raised instead of one that a program's run has raised: the same one where it is not a library's.

    Args:
        error: what was raised.
        program: what ran.
        sources: the lines that recorded its ops.
    """
    found = _FAILED.search(str(error))
    if found is None:
        return MemoryError(f"out of memory: {error}") if "RESOURCE_EXHAUSTED" in str(error) else error
    where = []
    for equation in _equations(program, found["kind"], (found["x"], found["kernel"])):
        number = equation.number
        line = equation.source if number is None or number >= len(sources) else text(sources[number])
        where.append(f"{equation.name} at {line}")
    kind = MemoryError if "out of memory" in found["why"] else OneDNNError
    named = kind(f"{' or '.join(dict.fromkeys(where)) or 'an op'}: {found[0]}")
    named.__notes__ = getattr(error, "__notes__", [])
    return named


def _equations(program: Program, kind: str, shapes: tuple[str, str]) -> Iterator[AnyEquation]:
    """Those that compute what the library calls by this name, of these shapes."""
    for step in program.plan.steps:
        if _holds(step.traced.closed.jaxpr, kind, shapes):
            yield step.equation


def _holds(jaxpr: Any, kind: str, shapes: tuple[str, str]) -> bool:
    for eqn in jaxpr.eqns:
        body = called(eqn)
        if body is not None and _holds(body.jaxpr, kind, shapes):
            return True
        params = eqn.params
        if eqn.primitive.name == kind and (str(params["x_shape"]), str(params["kernel_shape"])) == shapes:
            return True
    return False
