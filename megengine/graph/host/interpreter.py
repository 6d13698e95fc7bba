"""A jaxpr as a list of NumPy calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr

from ..written import written
from .alone import compiled_alone
from .frame import Frame
from .rules import RULES, Equation

Interpreted = Callable[..., list[Any]]
OFTEN = 50  # runs: to compile a line takes about as long as this many runs of it save


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


def interpret_aloud(closed: ClosedJaxpr) -> Runner:
    """What :func:`interpret` gives, but that NumPy may warn: whoever runs many sees to that once."""
    skeleton = Skeleton(closed)
    return Runner(skeleton, list(map(rule_of, skeleton.equations)), skeleton.scalars)


def nested(closed: Any) -> Interpreted:
    """What :func:`interpret` gives but for its surroundings: for jaxprs within one that is interpreted.

    Results of no dimensions may be NumPy's scalars.
    """
    if not isinstance(closed, ClosedJaxpr):
        made: Interpreted = closed.interpreted()
        return made
    skeleton = Skeleton(closed)
    return Runner(skeleton, list(map(rule_of, skeleton.equations)))


class Skeleton:
    """A jaxpr as a list of equations and of the places where their operands and results are kept.

    Attributes:
        jaxpr: what it is of.
        equations: those to run, in order; those that only call a jaxpr are replaced by what they call.
        arguments, results: the places of what it takes and gives.
        initial: what is at each place before the first equation.
        wiring: see :meth:`Frame.wiring`.
        scalars: which results have no dimensions.
    """

    def __init__(self, closed: ClosedJaxpr) -> None:
        frame = Frame()
        self.jaxpr = closed.jaxpr
        self.arguments = [frame.place() for _ in closed.jaxpr.invars]
        self.results = frame.write_out(closed, self.arguments)
        frame.with_wrapped_indices()
        frame.needed(self.results)
        frame.without_broadcasts(self.results)
        frame.with_selections_of_zero()
        self.initial = frame.initial()
        self.wiring = frame.wiring(self.results)
        self.scalars = tuple([k for k, v in enumerate(closed.jaxpr.outvars) if not v.aval.shape])
        self.equations = [eqn for eqn, _, _ in frame.eqns]
        self._runs = 0

    def run(self, calls: Sequence[Callable[..., Any]], arrays: Sequence[Any]) -> list[Any]:
        """Run the jaxpr, given what runs each equation."""
        self._runs += 1
        env = self.initial.copy()
        for slot, array in zip(self.arguments, arrays, strict=True):
            env[slot] = array
        for call, (sources, targets, multiple, dropped) in zip(calls, self.wiring, strict=True):
            if multiple:
                for slot, array in zip(targets, call(*[env[k] for k in sources]), strict=True):
                    env[slot] = array
            else:
                env[targets[0]] = call(*[env[k] for k in sources])
            for slot in dropped:
                env[slot] = None
        return [env[k] for k in self.results]

    def straight(self, calls: Sequence[Callable[..., Any]]) -> Interpreted | None:
        """The same as straight-line code, if it has run often enough for that."""
        if len(calls) == 1 and not self.wiring[0][2] and self.wiring[0][0] == tuple(self.arguments):
            if list(self.wiring[0][1]) == self.results:
                (only,) = calls
                return lambda *arrays: [only(*arrays)]
        if self._runs < OFTEN:
            return None
        return written(self.initial, self.wiring, self.arguments, self.results)(calls)


class Runner:
    """What runs a jaxpr: ``f(*arrays) -> list of arrays``.

    Args:
        skeleton: of the jaxpr.
        calls: what runs each of its equations.
        scalars: which results are to be arrays although they have no dimensions.
    """

    __slots__ = ("skeleton", "calls", "scalars", "_straight")

    def __init__(self, skeleton: Skeleton, calls: list[Callable[..., Any]], scalars: tuple[int, ...] = ()) -> None:
        self.skeleton = skeleton
        self.calls = calls
        self.scalars = scalars
        self._straight = skeleton.straight(calls)

    def __call__(self, *arrays: Any) -> list[Any]:
        straight = self._straight
        if straight is not None:
            results = straight(*arrays)
        else:
            results = self.skeleton.run(self.calls, arrays)
            self._straight = self.skeleton.straight(self.calls)
        for k in self.scalars:
            results[k] = np.asarray(results[k])
        return results


def rule_of(eqn: Equation) -> Callable[..., Any]:
    """What runs an equation."""
    make = RULES.get(eqn.primitive.name)
    return compiled_alone(eqn) if make is None else make(eqn)
