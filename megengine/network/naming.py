"""Names in a graph, as MegEngine gives them: of equations, by the modules that were running and the op; of inputs and outputs."""

from __future__ import annotations

from collections import Counter

from ..graph.ir import AnyEquation, Equation, Function
from ..graph.scopes import Unnamed
from .kinds import label_of


def names_of(function: Function) -> dict[AnyEquation, str]:
    """A name for each equation; those that would have the same are numbered."""
    return dict(zip(function.equations, numbered([_name(e) for e in function.equations]), strict=True))


def tell_apart(function: Function) -> None:
    """Give no two inputs and no two outputs one name, since they are given and found by it."""
    inputs = list(function.inputs)
    for several in (inputs, [v for v in dict.fromkeys(function.outputs) if v not in inputs]):
        names = numbered([v.name or f"unnamed{k}" for k, v in enumerate(several)])
        for var, name in zip(several, names, strict=True):
            var.name = name


def numbered(names: list[str]) -> list[str]:
    """Names, those that come more than once with their number."""
    total, seen, made, taken = Counter(names), Counter[str](), [], set(names)
    for name in names:
        told = name
        while total[name] > 1 and (told == name or told in taken):
            told = f"{name}[{seen[name]}]"
            seen[name] += 1
        taken.add(told)
        made.append(told)
    return made


def _name(equation: AnyEquation) -> str:
    label = label_of(equation.name) if isinstance(equation, Equation) else f"{label_of(equation.of.name)}:grad"
    return ".".join([*(s for s in equation.scope if not isinstance(s, Unnamed)), label])
