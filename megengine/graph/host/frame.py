"""Where the values of a jaxpr, and of those that it calls, are kept while it runs, and what of it has to be run at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, Var

from ..symbols import is_symbolic
from ..written import Wires
from .calls import called
from .in_place import in_place
from .rules import RULES, Equation

FOLDED = 4096  # elements: larger constants are made at each run
# What gives its operands as they are: nothing on the host, where arrays are not changed.
SAME = frozenset(
    [
        *("copy", "copy_p", "stop_gradient", "name", "layout_constraint", "optimization_barrier", "device_put"),
        *("pvary", "mesh_cast", "reshard", "sharding_constraint"),
    ]
)
# What NumPy broadcasts operands of by itself.
BROADCASTING = frozenset(
    ["add", "sub", "mul", "div", "max", "min", "pow", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "select_n"]
)


class Standing:
    """Stands for an equation, a variable or an aval: it has what rules read of one.

    Args:
        attributes: what it has.
    """

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Frame:
    """The equations to run, and the places of their operands and results.

    Attributes:
        size: how many places there are.
        constants: what is at some of them from the first on.
        eqns: each equation with the places of its operands and of its results.
    """

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
            elif eqn.primitive.name in SAME:
                targets = sources
            elif _is_constant(eqn, sources, self.constants):
                with np.errstate(all="ignore"):
                    value = RULES[eqn.primitive.name](eqn)(*[self.constants[k] for k in sources])
                targets = (self.constant(value, eqn.outvars[0].aval.dtype),)
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

    def without_broadcasts(self, results: list[int]) -> None:
        """Leave to NumPy the broadcasting of what only meets operands of full shape, element by element."""
        readers: dict[int, list[tuple[Equation, tuple[int, ...]]]] = {}
        for eqn, sources, _ in self.eqns:
            for place in sources:
                readers.setdefault(place, []).append((eqn, sources))
        thin = {t[0] for eqn, _, t in self.eqns if eqn.primitive.name == "broadcast_in_dim" and t[0] not in results}
        thin = {t for t in thin if all(e.primitive.name in BROADCASTING for e, _ in readers.get(t, ()))}
        while refused := {t for t in thin if not all(_broadcasts(e, s, thin) for e, s in readers.get(t, ()))}:
            thin -= refused
        same: dict[int, int] = {}
        eqns = []
        for eqn, sources, targets in self.eqns:
            sources = tuple([same.get(place, place) for place in sources])
            if targets and targets[0] in thin:
                line = _in_line(eqn)
                if line is None:
                    same[targets[0]] = sources[0]
                    continue
                eqn = line
            eqns.append((eqn, sources, targets))
        self.eqns = eqns

    def with_selections_of_zero(self) -> None:
        """Selections between an operand and zeros, which take half the time of others."""
        for n, (eqn, sources, targets) in enumerate(self.eqns):
            if eqn.primitive.name != "select_n" or len(sources) != 3 or not _selects_whole(eqn):
                continue
            zeros = [k for k in (1, 2) if sources[k] in self.constants and _is_zero(self.constants[sources[k]])]
            if zeros:
                other = 3 - zeros[0]
                name = "select_or_zero" if other == 2 else "zero_or_select"
                made = _instead(eqn, name, [eqn.invars[0], eqn.invars[other]], eqn.outvars)
                self.eqns[n] = made, (sources[0], sources[other]), targets

    def with_wrapped_indices(self) -> None:
        """``i + n`` for ``i`` below 0, else ``i``, as one equation: most indices are not below 0."""
        made = {targets[0]: (eqn, sources) for eqn, sources, targets in self.eqns if targets}
        for n, (eqn, sources, targets) in enumerate(self.eqns):
            if eqn.primitive.name != "select_n" or len(sources) != 3:
                continue
            below, below_of = made.get(sources[0], (None, ()))
            moved, moved_of = made.get(sources[2], (None, ()))
            if below is None or moved is None or (below.primitive.name, moved.primitive.name) != ("lt", "add"):
                continue
            zero = self.constants.get(below_of[1])
            if zero is not None and not zero.any() and sources[1] == below_of[0] == moved_of[0]:
                self.eqns[n] = _instead(eqn, "wrap_index", moved.invars, eqn.outvars), moved_of, targets

    def wiring(self, results: list[int]) -> list[Wires]:
        """Of each equation what it is called with, the places of its results, whether it has several, and what ends with it."""
        last = {place: n for n, (_, sources, targets) in enumerate(self.eqns) for place in (*sources, *targets)}
        dropped: dict[int, list[int]] = {}
        for place in last.keys() - self.constants.keys() - set(results):
            dropped.setdefault(last[place], []).append(place)
        called_with = in_place(self.eqns, dropped)
        return [
            (called_with[n], targets, eqn.primitive.multiple_results, tuple(dropped.get(n, ())))
            for n, (eqn, _, targets) in enumerate(self.eqns)
        ]

    def initial(self) -> list[Any]:
        return [self.constants.get(k) for k in range(self.size)]


def _is_constant(eqn: Equation, sources: Sequence[int], constants: dict[int, Any]) -> bool:
    """Whether an equation gives the same at each run, and no more than may be kept."""
    if eqn.primitive.multiple_results or eqn.effects or eqn.primitive.name not in RULES:
        return False
    if not all(place in constants for place in sources):
        return False
    shape = eqn.outvars[0].aval.shape
    if _mentions_symbols((shape, *eqn.params.values())):
        return False
    return int(np.prod(shape, dtype=np.int64)) <= FOLDED


def _mentions_symbols(value: Any) -> bool:
    return any(map(_mentions_symbols, value)) if isinstance(value, tuple) else is_symbolic(value)


def _broadcasts(eqn: Equation, sources: Sequence[int], thin: set[int]) -> bool:
    """Whether an equation that reads some thin operands has one of full shape besides, which gives its result the shape."""
    shape = tuple(eqn.outvars[0].aval.shape)
    full = [p not in thin and tuple(v.aval.shape) == shape for p, v in zip(sources, eqn.invars, strict=True)]
    if eqn.primitive.name != "select_n":
        return any(full)
    return full[0] and any(full[1:]) and len(full) == 3 and _selects_whole(eqn)


def _selects_whole(eqn: Equation) -> bool:
    """Whether the predicate of a selection is of two cases and has the shape of the result."""
    predicate = eqn.invars[0].aval
    return bool(predicate.dtype == np.bool_ and tuple(predicate.shape) == tuple(eqn.outvars[0].aval.shape))


def _in_line(eqn: Equation) -> Equation | None:
    """What gives the operand of a broadcast its dimensions of size 1; None where NumPy adds them by itself."""
    source, shape = eqn.invars[0].aval, eqn.params["shape"]
    sizes: list[Any] = [1] * len(shape)
    for dimension, size in zip(eqn.params["broadcast_dimensions"], source.shape, strict=True):
        sizes[dimension] = size
    if tuple(sizes[len(sizes) - len(source.shape) :]) == tuple(source.shape):
        return None
    aval = Standing(shape=tuple(sizes), dtype=source.dtype, ndim=len(sizes))
    return _instead(eqn, "reshape", eqn.invars, [Standing(aval=aval)])


def _instead(eqn: Equation, name: str, invars: Sequence[Any], outvars: Sequence[Any]) -> Equation:
    primitive = Standing(name=name, multiple_results=False)
    return Standing(primitive=primitive, params={}, invars=list(invars), outvars=list(outvars), effects=eqn.effects)


def _is_zero(array: np.ndarray) -> bool:
    """Whether all bits are; -0.0 is another number."""
    return not array.view(f"u{array.dtype.itemsize}").any() if array.dtype.itemsize <= 8 else False
