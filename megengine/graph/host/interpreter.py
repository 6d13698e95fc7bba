"""A jaxpr as a list of NumPy calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, Var

from .alone import compiled_alone
from .calls import called
from .rules import RULES, Equation

Interpreted = Callable[..., list[Any]]


def interpret(closed: ClosedJaxpr) -> Interpreted:
    """The function ``f(*arrays) -> list of arrays`` that runs a jaxpr by NumPy, which warns of nothing meanwhile.

    Values are dropped after their last use. What it returns may share memory with its operands or with constants, which are
    not writeable.

    Args:
        closed: the jaxpr, as from :func:`jax.make_jaxpr`.
    """
    run = interpret_aloud(closed)

    def quietly(*arrays: Any) -> list[Any]:
        with np.errstate(all="ignore"):
            return run(*arrays)

    return quietly


def interpret_aloud(closed: ClosedJaxpr) -> Interpreted:
    """What :func:`interpret` gives, but that NumPy may warn: whoever runs many sees to that once."""
    skeleton = Skeleton(closed)
    return skeleton.with_arrays(skeleton.runner(list(map(rule_of, skeleton.equations))))


def nested(closed: Any) -> Interpreted:
    """What :func:`interpret` gives but for its surroundings: for jaxprs within one that is interpreted.

    Results of no dimensions may be NumPy's scalars.
    """
    if not isinstance(closed, ClosedJaxpr):
        made: Interpreted = closed.interpreted()
        return made
    skeleton = Skeleton(closed)
    return skeleton.runner(list(map(rule_of, skeleton.equations)))


class Skeleton:
    """A jaxpr as a list of equations and of the places where their operands and results are kept.

    Attributes:
        jaxpr: what it is of.
        equations: those to run, in order; those that only call a jaxpr are replaced by what they call.
    """

    def __init__(self, closed: ClosedJaxpr) -> None:
        frame = _Frame()
        self.jaxpr = closed.jaxpr
        self._arguments = [frame.place() for _ in closed.jaxpr.invars]
        self._results = frame.write_out(closed, self._arguments)
        frame.needed(self._results)
        self._initial = frame.initial()
        self._wiring = frame.wiring(self._results)
        self._scalars = [k for k, v in enumerate(closed.jaxpr.outvars) if not v.aval.shape]
        self.equations = [eqn for eqn, _, _ in frame.eqns]

    def runner(self, calls: Sequence[Callable[..., Any]]) -> Interpreted:
        """What runs the jaxpr, given what runs each equation."""
        return _runner(self._initial, calls, self._wiring, self._arguments, self._results)

    def with_arrays(self, run: Interpreted) -> Interpreted:
        """The same, with arrays as results."""
        scalars = self._scalars
        if not scalars:
            return run

        def with_arrays(*arrays: Any) -> list[Any]:
            results = run(*arrays)
            for k in scalars:
                results[k] = np.asarray(results[k])
            return results

        return with_arrays


Wires = tuple[tuple[int, ...], tuple[int, ...], bool, tuple[int, ...]]


class _Frame:
    """Where the values of a jaxpr, and of those that it calls, are kept while it runs."""

    def __init__(self) -> None:
        self.size = 0
        self.constants: dict[int, np.ndarray] = {}
        self.eqns: list[tuple[Equation, tuple[int, ...], tuple[int, ...]]] = []

    def place(self) -> int:
        self.size += 1
        return self.size - 1

    def constant(self, value: Any, dtype: Any = None) -> int:
        array = np.asarray(value, dtype).view()
        array.flags.writeable = False
        place = self.place()
        self.constants[place] = array
        return place

    def write_out(self, closed: ClosedJaxpr, arguments: Sequence[int]) -> list[int]:
        """Add the equations of a jaxpr whose operands are at these places; where its results are."""
        jaxpr = closed.jaxpr
        places: dict[Var, int] = dict(zip(jaxpr.invars, arguments, strict=True))
        for var, const in zip(jaxpr.constvars, closed.consts, strict=True):
            places[var] = self.constant(const)

        def source(atom: Any) -> int:
            is_literal = isinstance(atom, Literal)
            return self.constant(atom.val, atom.aval.dtype) if is_literal else places[atom]

        for eqn in jaxpr.eqns:
            sources = tuple(map(source, eqn.invars))
            inner = called(eqn)
            if inner is not None:
                targets = tuple(self.write_out(inner, sources))
            else:
                targets = tuple(self.place() for _ in eqn.outvars)
                self.eqns.append((eqn, sources, targets))
            places.update(zip(eqn.outvars, targets, strict=True))
        return list(map(source, jaxpr.outvars))

    def needed(self, results: list[int]) -> None:
        """Leave out what these results do not need."""
        needed, eqns = set(results), []
        for eqn, sources, targets in reversed(self.eqns):
            if needed.intersection(targets) or eqn.effects:
                needed.update(sources)
                eqns.append((eqn, sources, targets))
        self.eqns = eqns[::-1]

    def wiring(self, results: list[int]) -> list[Wires]:
        """Of each equation the places of its operands and results, whether it has several, and what is not used after it."""
        last = {place: n for n, (_, sources, targets) in enumerate(self.eqns) for place in (*sources, *targets)}
        dropped: dict[int, list[int]] = {}
        for place in last.keys() - self.constants.keys() - set(results):
            dropped.setdefault(last[place], []).append(place)
        return [
            (sources, targets, eqn.primitive.multiple_results, tuple(dropped.get(n, ())))
            for n, (eqn, sources, targets) in enumerate(self.eqns)
        ]

    def initial(self) -> list[Any]:
        return [self.constants.get(k) for k in range(self.size)]


def rule_of(eqn: Equation) -> Callable[..., Any]:
    """What runs an equation."""
    make = RULES.get(eqn.primitive.name)
    return compiled_alone(eqn) if make is None else make(eqn)


def _runner(
    initial: list[Any],
    calls: Sequence[Callable[..., Any]],
    wiring: list[Wires],
    arguments: list[int],
    results: list[int],
) -> Interpreted:
    if len(calls) == 1 and not wiring[0][2] and wiring[0][0] == tuple(arguments) and list(wiring[0][1]) == results:
        (only,) = calls
        return lambda *arrays: [only(*arrays)]

    def run(*arrays: Any) -> list[Any]:
        env = initial.copy()
        for slot, array in zip(arguments, arrays, strict=True):
            env[slot] = array
        for call, (sources, targets, multiple, dropped) in zip(calls, wiring, strict=True):
            if multiple:
                for slot, array in zip(targets, call(*[env[k] for k in sources]), strict=True):
                    env[slot] = array
            else:
                env[targets[0]] = call(*[env[k] for k in sources])
            for slot in dropped:
                env[slot] = None
        return [env[k] for k in results]

    return run
