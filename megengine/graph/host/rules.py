"""The table of rules: what each of JAX's primitives is in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]
Equation = Any  # a JaxprEqn, by whose declaration avals have neither shapes nor dtypes
Rule = Callable[[Equation], Run]

RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Declare the decorated function as the rule of these primitives.

    A rule takes an equation, whose parameters and avals it reads once, and gives the function that runs it: arrays in, one
    array out, or a sequence of arrays where the primitive has several results (``primitive.multiple_results``). That function
    changes none of its operands; what it gives may share memory with them. Operands and results of no dimensions may be
    NumPy's scalars as well as arrays.
    """

    def declare(make: Rule) -> Rule:
        for name in names:
            assert name not in RULES, f"{name} has a rule"
            RULES[name] = make
        return make

    return declare
