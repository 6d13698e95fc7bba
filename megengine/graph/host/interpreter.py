"""A jaxpr as a list of NumPy calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, Var

from .alone import compiled_alone
from .rules import RULES

Interpreted = Callable[..., list[Any]]


def interpret(closed: ClosedJaxpr) -> Interpreted:
    """The function ``f(*arrays) -> list of arrays`` that runs a jaxpr by NumPy, which warns of nothing meanwhile.

    Values are dropped after their last use. What it returns may share memory with its operands or with constants, which are
    not writeable.

    Args:
        closed: the jaxpr, as from :func:`jax.make_jaxpr`.
    """
    run = nested(closed)
    scalars = [k for k, v in enumerate(closed.jaxpr.outvars) if not v.aval.shape]

    def quietly(*arrays: Any) -> list[Any]:
        with np.errstate(all="ignore"):
            results = run(*arrays)
        for k in scalars:
            results[k] = np.asarray(results[k])
        return results

    return quietly


def nested(closed: ClosedJaxpr) -> Interpreted:
    """What :func:`interpret` gives but for its surroundings: for jaxprs within one that is interpreted.

    Results of no dimensions may be NumPy's scalars.
    """
    frame = _Frame()
    jaxpr = closed.jaxpr
    for var, const in zip(jaxpr.constvars, closed.consts, strict=True):
        frame.constant(frame.slot(var), const)
    arguments = [frame.slot(v) for v in jaxpr.invars]
    last = {v: n for n, eqn in enumerate(jaxpr.eqns) for v in (*eqn.invars, *eqn.outvars) if not isinstance(v, Literal)}
    for v in (*jaxpr.outvars, *jaxpr.constvars):
        if not isinstance(v, Literal):
            last.pop(v, None)
    dropped: dict[int, list[Any]] = {}
    for v, number in last.items():
        dropped.setdefault(number, []).append(v)
    steps = [frame.step(eqn, dropped.get(number, ())) for number, eqn in enumerate(jaxpr.eqns)]
    results = [frame.source(v) for v in jaxpr.outvars]
    return _runner(frame.initial(), steps, arguments, results)


Step = tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...], bool, tuple[int, ...]]


class _Frame:
    """Where each variable of a jaxpr is kept while it runs."""

    def __init__(self) -> None:
        self.slots: dict[Any, int] = {}
        self.constants: dict[int, np.ndarray] = {}

    def slot(self, var: Var) -> int:
        return self.slots.setdefault(var, len(self.slots))

    def constant(self, slot: int, value: Any, dtype: Any = None) -> None:
        array = np.asarray(value, dtype).view()
        array.flags.writeable = False
        self.constants[slot] = array

    def source(self, atom: Any) -> int:
        if not isinstance(atom, Literal):
            return self.slot(atom)
        key = (id(atom), "literal")
        if key not in self.slots:
            self.slots[key] = len(self.slots)
            self.constant(self.slots[key], atom.val, atom.aval.dtype)
        return self.slots[key]

    def step(self, eqn: JaxprEqn, dropped: Sequence[Var]) -> Step:
        rule = RULES.get(eqn.primitive.name)
        run = compiled_alone(eqn) if rule is None else rule(eqn)
        sources = tuple(self.source(a) for a in eqn.invars)
        targets = tuple(self.slot(v) for v in eqn.outvars)
        return run, sources, targets, eqn.primitive.multiple_results, tuple(self.slot(v) for v in dropped)

    def initial(self) -> list[Any]:
        return [self.constants.get(k) for k in range(len(self.slots))]


def _runner(initial: list[Any], steps: list[Step], arguments: list[int], results: list[int]) -> Interpreted:
    def run(*arrays: Any) -> list[Any]:
        env = initial.copy()
        for slot, array in zip(arguments, arrays, strict=True):
            env[slot] = array
        for call, sources, targets, multiple, dropped in steps:
            if multiple:
                for slot, array in zip(targets, call(*[env[k] for k in sources]), strict=True):
                    env[slot] = array
            else:
                env[targets[0]] = call(*[env[k] for k in sources])
            for slot in dropped:
                env[slot] = None
        return [env[k] for k in results]

    return run
