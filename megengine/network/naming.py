"""Names of the equations of a graph, as MegEngine gives them: the modules that were running, and what the op is."""

from __future__ import annotations

from collections import Counter

from ..graph.ir import AnyEquation, Equation, Function
from ..graph.scopes import Unnamed
from .kinds import label_of


def names_of(function: Function) -> dict[AnyEquation, str]:
    """A name for each equation; those that would have the same are numbered."""
    plain = {equation: _name(equation) for equation in function.equations}
    total = Counter(plain.values())
    seen: Counter[str] = Counter()
    named = {}
    for equation, name in plain.items():
        named[equation] = f"{name}[{seen[name]}]" if total[name] > 1 else name
        seen[name] += 1
    return named


def _name(equation: AnyEquation) -> str:
    label = label_of(equation.name) if isinstance(equation, Equation) else f"{label_of(equation.of.name)}:grad"
    return ".".join([*(s for s in equation.scope if not isinstance(s, Unnamed)), label])
