"""The table of rules: what each of JAX's primitives is in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]
Equation = Any  # a JaxprEqn, by whose declaration avals have neither shapes nor dtypes
Rule = Callable[[Equation], Run]

RULES: dict[str, Rule] = {}
FORMS: dict[str, Callable[[Equation], Run | None]] = {}


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


def form(name: str) -> Callable[[Any], Any]:
    """Declare what runs calls of a function under :func:`jax.jit` of this name, in place of its jaxpr.

    It takes an equation as a rule does, and gives None for calls that it does not know how to run.
    """

    def declare(make: Callable[[Equation], Run | None]) -> Callable[[Equation], Run | None]:
        assert name not in FORMS, f"{name} has a form"
        FORMS[name] = make
        return make

    return declare


def form_of(eqn: Equation) -> Run | None:
    """What runs this equation in place of the jaxpr that it calls, if anything does."""
    known = FORMS.get(eqn.params.get("name", "")) if eqn.primitive.name in ("jit", "pjit") else None
    return None if known is None else known(eqn)
