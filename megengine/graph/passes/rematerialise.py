"""Rematerialisation: less is kept of the forward pass, and computed again when gradients need it.

The forward pass is cut where little is alive. Of each part but the last only what later parts read is kept; before the first
VJP of a part its equations are computed once more, from what was kept, behind a barrier, so that the compiler neither shares
them with the first time nor runs them early (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod, sqrt

from ...ops.barrier import barrier
from ..infer import infer
from ..ir import AnyEquation, Equation, Function, Var, VjpEquation


def rematerialise(function: Function, above: int = 0, smallest: int = 0) -> Function:
    """Compute parts of the forward pass again where gradients need them.

    Args:
        function: a function with VJPs.
        above: leave it as it is if its forward pass makes no more bytes than this.
        smallest: leave parts that make fewer bytes than this as they are.
    """
    first = next((k for k, e in enumerate(function.equations) if isinstance(e, VjpEquation)), None)
    if first is None:
        return function
    forward = [e for e in function.equations[:first] if isinstance(e, Equation)]
    made = [sum(map(_bytes, e.outputs)) for e in forward]
    if sum(made) <= above:
        return function
    parts = _parts(forward, made, _alive(forward))
    fixed = {of for of, _ in function.residuals}
    again = _Again(function, fixed)
    for start, end in parts[:-1]:
        if sum(made[start:end]) >= max(smallest, 1):
            again.plan(forward[start:end], {v for e in forward[end:] for v in e.reads()})
    return again.result()


def _bytes(var: Var) -> int:
    return prod(var.aval.shape) * var.aval.dtype.itemsize


def _alive(forward: Sequence[Equation]) -> list[int]:
    """For each place between equations, how many bytes made before it are read behind it; the first is before all of them."""
    born = {v: k for k, e in enumerate(forward) for v in e.outputs}
    last = {v: k for k, e in enumerate(forward) for v in e.reads() if v in born}
    change = [0] * (len(forward) + 1)
    for var, k in last.items():
        change[born[var] + 1] += _bytes(var)
        change[k + 1] -= _bytes(var)
    alive, now = [], 0
    for difference in change:
        now += difference
        alive.append(now)
    return alive


def _parts(forward: Sequence[Equation], made: Sequence[int], alive: Sequence[int]) -> list[tuple[int, int]]:
    """Where the parts begin and end: about as many as keep least, each cut where least is alive."""
    total = sum(made)
    cuts = sorted(n for n in alive[1:-1] if n)
    if not cuts:
        return [(0, len(forward))]
    count = max(2, round(sqrt(total / cuts[len(cuts) // 10])))
    wanted = total / count
    parts, start, held = [], 0, 0
    best: tuple[float, int] | None = None
    for k, size in enumerate(made, 1):
        held += size
        if k < len(made) and held >= wanted / 2:
            candidate = alive[k], k
            best = candidate if best is None or candidate <= best else best
        if held >= 1.5 * wanted and best is not None:
            parts.append((start, best[1]))
            start, held, best = best[1], sum(made[best[1] : k]), None
    return [*parts, (start, len(forward))]


def _of_activations(function: Function) -> set[Var]:
    """What is computed, and the inputs that no gradient is asked of: parameters are there anyway, and need no barrier."""
    computed = {v for e in function.equations for v in e.outputs}
    read = {v for e in function.equations if isinstance(e, Equation) for v in e.reads()}
    updated = {v for e in function.equations if isinstance(e, VjpEquation) for v in _linearised(e)}
    return computed | {v for v in function.inputs if v in read and v not in updated}


def _linearised(equation: VjpEquation) -> list[Var]:
    """The operands whose cotangents a VJP gives."""
    operands = (equation.of.inputs[k] for k in equation.wrt)
    return [v for v in operands if isinstance(v, Var)]


class _Again:
    """Puts the equations that are computed again before the first VJP that needs them."""

    def __init__(self, function: Function, fixed: Iterable[Equation]) -> None:
        self.function = function
        self.fixed = set(fixed)
        self.pulled = {e.of for e in function.equations if isinstance(e, VjpEquation)}
        self.part_of: dict[Equation, list[Equation]] = {}
        self.computed = _of_activations(function)

    def plan(self, part: Sequence[Equation], read_later: set[Var]) -> None:
        """Say that a part is computed again."""
        producer = {v: e for e in part for v in e.outputs}
        wanted: dict[Equation, None] = {}
        pending = [e for e in part if e in self.pulled and self._can(e)]
        while pending:
            equation = pending.pop()
            if equation not in wanted:
                wanted[equation] = None
                sources = (producer[v] for v in equation.reads() if v in producer and v not in read_later)
                pending += [e for e in sources if self._can(e)]
        chosen = [e for e in part if e in wanted]
        self.part_of.update(dict.fromkeys((e for e in chosen if e in self.pulled), chosen))

    def _can(self, equation: Equation) -> bool:
        """Whether it may be computed twice: not if its operands' values are checked, others take part in it, or a later
        function has its VJP."""
        return equation.op.valid is None and not equation.op.once and equation not in self.fixed

    def result(self) -> Function:
        """The function."""
        made: list[AnyEquation] = []
        copies: dict[Equation, Equation] = {}
        for equation in self.function.equations:
            if isinstance(equation, VjpEquation) and equation.of in self.part_of:
                cotangents = equation.cotangents
                if equation.of not in copies:
                    cotangents = self._compute(self.part_of[equation.of], cotangents, made, copies)
                made.append(equation.with_vars(cotangents, equation.outputs, copies[equation.of]))
            else:
                made.append(equation)
        return self.function.having(equations=made)

    def _compute(
        self,
        part: Sequence[Equation],
        cotangents: tuple[Var | None, ...],
        made: list[AnyEquation],
        copies: dict[Equation, Equation],
    ) -> tuple[Var | None, ...]:
        """Compute a part once more; returns the cotangents as they come from the barrier."""
        own = {v for e in part for v in e.outputs}
        outside = dict.fromkeys(v for e in part for v in e.reads() if v not in own and v in self.computed)
        behind = tuple(dict.fromkeys((*outside, *(c for c in cotangents if c is not None))))
        signature = infer(barrier, (), tuple(v.aval for v in behind))
        new = {v: Var(v.aval, v.name) for v in behind}
        made.append(Equation(signature, behind, tuple(new[v] for v in behind)))
        for equation in part:
            outputs = tuple(Var(v.aval) for v in equation.outputs)
            inputs = tuple(new.get(v, v) if isinstance(v, Var) else v for v in equation.inputs)
            copy = Equation(equation.signature, inputs, outputs, None, equation.source, equation.scope)
            new.update(zip(equation.outputs, outputs, strict=True))
            copies[equation] = copy
            made.append(copy)
        return tuple(None if c is None else new[c] for c in cotangents)
