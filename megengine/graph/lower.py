"""From a recorded structure to one pure function of arrays, in which gradients use what their forward kept.

The same function runs under a trace, to be compiled, and by NumPy: what each op does comes from its jaxpr (see
:mod:`megengine.graph.traced`), and only who runs the jaxprs differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

from .polymorphic import new_program
from .pullbacks import Pullback
from .structure import Instr, Pull, State
from .traced import Linearised, Traced, forward, linearised, pulled, rule_on_values

Key = tuple[int, tuple[int, ...]]  # an instruction and its differentiated operands
Resolve = Callable[[Traced], Callable[..., Sequence[Any]]]


class Step:
    """One instruction of a plan.

    Attributes:
        instr: the instruction.
        operands: positions of its operands, or scalars ``(kind, k)``; of a gradient its cotangents.
        traced: what computes it; for one that gradients are taken of, its linearised forward.
        key: of the residuals that it makes or takes, if any.
        again: further linearised forwards, for gradients of other operands.
        valid: the rule on its operands' values, if the program has to look.
        dropped: positions and keys that are not used after it.
    """

    __slots__ = ("instr", "operands", "traced", "key", "again", "valid", "dropped")

    def __init__(self, instr: Instr | Pull, operands: tuple[Any, ...], traced: Traced, key: Key | None) -> None:
        self.instr = instr
        self.operands = operands
        self.traced = traced
        self.key = key
        self.again: list[tuple[Linearised, Key]] = []
        self.valid: Traced | None = None
        self.dropped: list[Any] = []


class Plan:
    """What a program computes, step by step, and what it returns.

    Args:
        state: the structure.
        live: positions of the values to return.
        kept: instructions (with differentiated operands) whose pullbacks must outlive this program.
        check_nan: also return, first, whether each input and each op's results hold NaN.
        guards: whether the graph holds an optimizer's step, then pairs of positions: in place of the first's value the second's
            is returned where an op that it depends on, or any op of a step, got values that it does not take.
        trusted: instructions whose operands' values are known to be ones that they take.

    Where ops have a rule on their operands' values, the function returns next whether each of them holds.

    Attributes:
        steps: the instructions.
        pullbacks: for each of ``kept``, its pullback and where its arrays are: ``("out", k)`` or ``("in", k)``.
    """

    def __init__(
        self,
        state: State,
        live: tuple[int, ...],
        kept: tuple[Key, ...],
        check_nan: bool,
        guards: tuple[Any, ...] = (),
        trusted: tuple[int, ...] = (),
    ) -> None:
        self.state = state
        self.live = live
        self.check_nan = check_nan
        self.guards = guards
        self.inputs = [position for position, _ in state.input_positions()]
        new_program()
        self.linear: dict[Key, Linearised] = {}
        self.steps = _steps(state, kept, trusted, self.linear)
        self.checks = any(step.valid is not None for step in self.steps)
        self.bits = depends(state, trusted) if guards else {}
        self.extra: list[Any] = []
        self.pullbacks = [self._keep(key) for key in kept]
        self._drop(kept)

    @cached_property
    def size(self) -> int:
        """How many equations there are in all of its jaxprs."""
        return sum(step.traced.size for step in self.steps)

    def _keep(self, key: Key) -> tuple[Pullback, tuple[Any, ...]]:
        """Return a pullback's residuals behind the living values (each array once) and say where each is."""
        instr = self.state.path()[key[0]].instr
        traced = self.linear[key]
        sources = [self._source(instr, key, k, origin) for k, origin in enumerate(traced.origins)]
        return Pullback(instr, key[1], traced), tuple(sources)

    def _source(self, instr: Instr, key: Key, k: int, origin: tuple[str, int] | None) -> tuple[str, int]:
        where: Any = key, k
        if origin is not None:
            side, number = origin
            where = instr.operands[number] if side == "operand" else instr.start + number
        if where in self.inputs:
            return "in", self.inputs.index(where)
        leading = self.check_nan + self.checks
        if where in self.live and where not in {new for new, _ in self.guards[1:]}:
            return "out", leading + self.live.index(where)
        if where not in self.extra:
            self.extra.append(where)
        return "out", leading + len(self.live) + self.extra.index(where)

    def _drop(self, kept: tuple[Key, ...]) -> None:
        """Write down after which step each value has been used for the last time."""
        last: dict[Any, Step] = {}
        for step in self.steps:
            last.update((p, step) for p in step.operands if isinstance(p, int))
            last.update((step.instr.start + k, step) for k in range(len(step.instr.avals)))
            if step.key is not None:
                last[step.key] = step
            last.update((key, step) for _, key in step.again)
        wanted = {*self.live, *self.extra, *(old for _, old in self.guards[1:]), *kept}
        wanted.update(w[0] for w in self.extra if isinstance(w, tuple))
        for what, step in last.items():
            if what not in wanted:
                step.dropped.append(what)

    def function(self, xp: Any, resolve: Resolve) -> Callable[..., list[Any]]:
        """The function ``f([floats,] [ints,] *inputs) -> list of arrays``.

        Args:
            xp: the array library, ``numpy`` or ``jax.numpy``.
            resolve: how a jaxpr is run.
        """
        state, inputs, check_nan, checks = self.state, self.inputs, self.check_nan, self.checks
        steps = [_Resolved(step, resolve) for step in self.steps]

        def run(*args: Any) -> list[Any]:
            rest = list(args)
            floats = rest.pop(0) if state.floats else None
            ints = rest.pop(0) if state.ints else None
            env: dict[Any, Any] = dict(zip(inputs, rest, strict=True))
            flags = [_holds_nan(xp, [a]) for a in rest] if check_nan else []
            holds: list[Any] = []
            for step in steps:
                outs = step.run(env, floats, ints, holds)
                if check_nan:
                    flags.append(_holds_nan(xp, outs))
            results = [xp.stack(flags)] if check_nan else []
            if checks:
                results.append(xp.stack(holds))
            guarded = self._guarded(xp, holds, flags, env)
            results += [guarded.get(position, env[position]) for position in self.live]
            results += [
                xp.asarray(_value(w, env, floats, ints) if type(w[0]) is str else env[w[0]][w[1]])
                if isinstance(w, tuple)
                else env[w]
                for w in self.extra
            ]
            return results

        return run

    def _guarded(self, xp: Any, holds: list[Any], flags: list[Any], env: dict[Any, Any]) -> dict[int, Any]:
        """The values to return for the first positions of the guards."""
        if not self.guards:
            return {}
        stepped, *pairs = self.guards
        everything = (1 << len(holds)) - 1
        fine: dict[int, Any] = {}

        def all_of(needed: int) -> Any:
            if needed not in fine:
                chosen = [h for k, h in enumerate(holds) if needed >> k & 1]
                chosen += [~xp.stack(flags).any()] if stepped and flags else []
                fine[needed] = xp.stack(chosen).all() if chosen else None
            return fine[needed]

        out = {}
        for new, old in pairs:
            condition = all_of(everything if stepped else self.bits.get(new, 0))
            out[new] = env[new] if condition is None else xp.where(condition, env[new], env[old])
        return out


class _Resolved:
    """A step, ready to run."""

    __slots__ = ("call", "valid", "again", "operands", "start", "count", "key", "pulls", "dropped")

    def __init__(self, step: Step, resolve: Resolve) -> None:
        self.call = resolve(step.traced)
        self.valid = None if step.valid is None else resolve(step.valid)
        self.again = [(resolve(traced), key) for traced, key in step.again]
        self.operands = step.operands
        self.start = step.instr.start
        self.count = len(step.instr.avals)
        self.key = step.key
        self.pulls = isinstance(step.instr, Pull)
        self.dropped = step.dropped

    def run(self, env: dict[Any, Any], floats: Any, ints: Any, holds: list[Any]) -> Sequence[Any]:
        operands = [env[o] if type(o) is int else _value(o, env, floats, ints) for o in self.operands]
        if self.valid is not None:
            holds.append(self.valid(*operands)[0])
        count, key = self.count, self.key
        if self.pulls:
            outs = self.call(*env[key], *operands)
        else:
            outs = self.call(*operands)
            if key is not None:
                env[key] = outs[count:]
            for call, other in self.again:
                env[other] = call(*operands)[count:]
        start = self.start
        for k in range(count):
            env[start + k] = outs[k]
        for what in self.dropped:
            del env[what]
        return outs[:count]


def _value(operand: Any, env: dict[Any, Any], floats: Any, ints: Any) -> Any:
    kind, k = operand
    if kind == "f":
        return floats[k]
    return ints[k] if kind == "i" else ints[k] != 0


def _holds_nan(xp: Any, arrays: Sequence[Any]) -> Any:
    bad = [xp.isnan(a).any() for a in arrays if jax.numpy.issubdtype(a.dtype, np.inexact)]
    return xp.stack(bad).any() if bad else xp.bool_(False)


def _steps(state: State, kept: tuple[Key, ...], trusted: tuple[int, ...], linear: dict[Key, Linearised]) -> list[Step]:
    """The steps of a program; the linearised forwards are added to ``linear``, since gradients are of those very ones."""
    states = state.path()
    masks: dict[int, list[tuple[int, ...]]] = {}
    pulls = {(s.instr.source, s.instr.mask): None for s in states if isinstance(s.instr, Pull)}
    for source, mask in dict.fromkeys((*pulls, *kept)):
        masks.setdefault(source, []).append(mask)
        linear[source, mask] = linearised(states[source].instr, mask)
    return [_step(n, s.instr, linear, masks.get(n, []), n in trusted) for n, s in enumerate(states)]


def _step(
    number: int, instr: Instr | Pull, linear: dict[Key, Linearised], masks: list[tuple[int, ...]], trusted: bool
) -> Step:
    if isinstance(instr, Pull):
        absent = tuple(c is None for c in instr.cots)
        key = (instr.source, instr.mask)
        traced = pulled(linear[key], instr.need, absent)
        return Step(instr, tuple(c for c in instr.cots if c is not None), traced, key)
    made = [(linear[number, mask], (number, mask)) for mask in masks]
    if made:
        step = Step(instr, instr.operands, *made[0])
        step.again = made[1:]
    else:
        step = Step(instr, instr.operands, forward(instr.op, instr.attrs, instr.targets, instr.specs)[0], None)
    if instr.op.valid is not None and not trusted:
        step.valid = rule_on_values(instr)
    return step


def depends(state: State, trusted: tuple[int, ...]) -> dict[int, int]:
    """For each position, the instructions whose operands' values are checked that its value depends on, as bits."""
    states = state.path()
    found: dict[int, int] = {}
    of_instr: list[int] = []
    checked = 0
    for number, step in enumerate(states):
        instr = step.instr
        if isinstance(instr, Pull):
            bits = of_instr[instr.source]
            sources: Sequence[Any] = instr.cots
        else:
            bits, sources = 0, instr.operands
            if instr.op.valid is not None and number not in trusted:
                bits, checked = 1 << checked, checked + 1
        for source in sources:
            if isinstance(source, int):
                bits |= found.get(source, 0)
        of_instr.append(bits)
        if bits:
            found.update((instr.start + k, bits) for k in range(len(instr.avals)))
    return found
