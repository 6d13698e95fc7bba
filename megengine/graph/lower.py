"""From a Function to one callable of arrays, in which VJPs use the residuals of their forward.

The same steps run under a trace, to be compiled, and by NumPy: what each op does comes from its jaxpr (see
:mod:`megengine.graph.traced`), and only who runs the jaxprs differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

from .ir import AnyEquation, Equation, Function, Residuals, Scalar, Var, VjpEquation
from .polymorphic import new_program
from .pullbacks import Pullback
from .traced import Linearised, Traced, forward, linearised, pulled, rule_on_values

Resolve = Callable[[Traced], Callable[..., Sequence[Any]]]


class Step:
    """One equation of a plan.

    Attributes:
        equation: the equation.
        operands: its inputs; of a VJP its cotangents.
        traced: what computes it; for one that VJPs are taken of, its linearised forward.
        key: of the residuals that it makes or takes, if any.
        again: further linearised forwards, for VJPs with regard to other operands.
        valid: the rule on its operands' values, if the program has to look.
        dropped: values and residuals that are not used after it.
    """

    __slots__ = ("equation", "operands", "traced", "key", "again", "valid", "dropped")

    def __init__(
        self, equation: AnyEquation, operands: tuple[Var | Scalar, ...], traced: Traced, key: Residuals | None
    ) -> None:
        self.equation = equation
        self.operands = operands
        self.traced = traced
        self.key = key
        self.again: list[tuple[Linearised, Residuals]] = []
        self.valid: Traced | None = None
        self.dropped: list[Any] = []


def _first_places(side: str, variables: Sequence[Var]) -> dict[Any, tuple[str, int]]:
    """Of each variable the side, and where it is first."""
    found: dict[Any, tuple[str, int]] = {}
    for number, var in enumerate(variables):
        found.setdefault(var, (side, number))
    return found


class Plan:
    """What a program computes, step by step, and what it returns.

    Args:
        function: the function; outputs beyond the first ``count`` are what guards return instead of others.
        count: how many results there are.
        check_nan: also return, first, whether each input and each op's results hold NaN.
        guards: whether the graph holds an optimizer's step, then pairs of outputs' numbers: in place of the first the second is
            returned where an op that it depends on, or any op of a step, got values that it does not take.
        trusted: recorded calls whose operands' values are known to be ones that they take.

    Where ops have a rule on their operands' values, the function returns next whether each of them holds.

    Attributes:
        steps: the equations.
        pullbacks: for each of the function's residuals, its pullback and where its arrays are: ``("out", k)`` or ``("in", k)``.
    """

    def __init__(
        self,
        function: Function,
        count: int,
        check_nan: bool,
        guards: tuple[Any, ...] = (),
        trusted: tuple[int, ...] = (),
    ) -> None:
        self.function = function
        self.results = function.outputs[:count]
        self.check_nan = check_nan
        self.stepped = bool(guards) and guards[0]
        self.guards = [(function.outputs[new], function.outputs[old]) for new, old in guards[1:]]
        new_program()
        self.linear: dict[Residuals, Linearised] = {}
        self.steps = _steps(function, trusted, self.linear)
        self.checks = any(step.valid is not None for step in self.steps)
        self.bits = depends(function, trusted) if guards else {}
        self.extra: dict[Any, int] = {}  # in their order
        self._places = _first_places("in", function.inputs)
        guarded = {new for new, _ in self.guards}
        for result, place in _first_places("out", self.results).items():
            if result not in guarded:
                self._places.setdefault(result, place)
        self.pullbacks = [self._keep(key) for key in function.residuals]
        self._drop()

    @cached_property
    def size(self) -> int:
        """How many equations its different jaxprs have: equal ones give equal kernels, which XLA compiles once."""
        return sum(traced.size for traced in {step.traced for step in self.steps})

    def _keep(self, key: Residuals) -> tuple[Pullback, tuple[Any, ...]]:
        """Return a pullback's residuals behind the results (each array once) and say where each is."""
        traced = self.linear[key]
        sources = [self._source(key, k, origin) for k, origin in enumerate(traced.origins)]
        return Pullback(key.of, key.linearised, traced), tuple(sources)

    def _source(self, key: Residuals, k: int, origin: tuple[str, int] | None) -> tuple[str, int]:
        where: Any = key, k
        if origin is not None:
            side, number = origin
            where = key.of.inputs[number] if side == "operand" else key.of.outputs[number]
        leading = self.check_nan + self.checks
        if where in self._places:
            side, number = self._places[where]
            return side, number + leading * (side == "out")
        return "out", leading + len(self.results) + self.extra.setdefault(where, len(self.extra))

    def _drop(self) -> None:
        """Write down after which step each value has been used for the last time."""
        last: dict[Any, Step] = {}
        for step in self.steps:
            for v in step.operands:
                if type(v) is Var:
                    last[v] = step
            for v in step.equation.outputs:
                last[v] = step
            if step.key is not None:
                last[step.key] = step
            for _, key in step.again:
                last[key] = step
        wanted = {*self.results, *self.extra, *(old for _, old in self.guards), *self.function.residuals}
        wanted.update(self.function.constants)
        for what, step in last.items():
            if what not in wanted:
                step.dropped.append(what)

    def callable(self, xp: Any, resolve: Resolve) -> Callable[..., list[Any]]:
        """``f([floats,] [ints,] *inputs) -> list of arrays``.

        Args:
            xp: the array library, ``numpy`` or ``jax.numpy``.
            resolve: how a jaxpr is run.
        """
        function, results, check_nan, checks = self.function, self.results, self.check_nan, self.checks
        steps = [_Resolved(step, resolve) for step in self.steps]
        constants = {var: xp.asarray(array) for var, array in function.constants.items()}

        def run(*args: Any) -> list[Any]:
            rest = list(args)
            floats = rest.pop(0) if function.floats else None
            ints = rest.pop(0) if function.ints else None
            env: dict[Any, Any] = dict(zip(function.inputs, rest, strict=True))
            env.update(constants)
            flags = [_holds_nan(xp, [a]) for a in rest] if check_nan else []
            holds: list[Any] = []
            for step in steps:
                outs = step.run(env, floats, ints, holds)
                if check_nan:
                    flags.append(_holds_nan(xp, outs))
            returned = [xp.stack(flags)] if check_nan else []
            if checks:
                returned.append(xp.stack(holds))
            guarded = self._guarded(xp, holds, flags, env)
            returned += [guarded[var] if var in guarded else env[var] for var in results]
            returned += [_extra(w, xp, env, floats, ints) for w in self.extra]
            return returned

        return run

    def _guarded(self, xp: Any, holds: list[Any], flags: list[Any], env: dict[Any, Any]) -> dict[Var, Any]:
        """The values to return for the first of each pair of guards."""
        everything = (1 << len(holds)) - 1
        fine: dict[int, Any] = {}

        def all_of(needed: int) -> Any:
            if needed not in fine:
                chosen = [h for k, h in enumerate(holds) if needed >> k & 1]
                chosen += [~xp.stack(flags).any()] if self.stepped and flags else []
                fine[needed] = xp.stack(chosen).all() if chosen else None
            return fine[needed]

        out = {}
        for new, old in self.guards:
            condition = all_of(everything if self.stepped else self.bits.get(new, 0))
            out[new] = env[new] if condition is None else xp.where(condition, env[new], env[old])
        return out


class _Resolved:
    """A step, ready to run."""

    __slots__ = ("call", "valid", "again", "operands", "outputs", "key", "pulls", "dropped")

    def __init__(self, step: Step, resolve: Resolve) -> None:
        self.call = resolve(step.traced)
        self.valid = None if step.valid is None else resolve(step.valid)
        self.again = [(resolve(traced), key) for traced, key in step.again]
        self.operands = step.operands
        self.outputs = step.equation.outputs
        self.key = step.key
        self.pulls = isinstance(step.equation, VjpEquation)
        self.dropped = step.dropped

    def run(self, env: dict[Any, Any], floats: Any, ints: Any, holds: list[Any]) -> Sequence[Any]:
        operands = [env[o] if type(o) is Var else _value(o, env, floats, ints) for o in self.operands]
        if self.valid is not None:
            holds.append(self.valid(*operands)[0])
        outputs, key = self.outputs, self.key
        count = len(outputs)
        if self.pulls:
            outs = self.call(*env[key], *operands)
        else:
            outs = self.call(*operands)
            if key is not None:
                env[key] = outs[count:]
            for call, other in self.again:
                env[other] = call(*operands)[count:]
        for k in range(count):
            env[outputs[k]] = outs[k]
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


def _extra(where: Any, xp: Any, env: dict[Any, Any], floats: Any, ints: Any) -> Any:
    """An array that only pullbacks need: a value, a number, or a residual."""
    if type(where) is Var:
        return env[where]
    return xp.asarray(_value(where, env, floats, ints) if type(where) is Scalar else env[where[0]][where[1]])


def _steps(function: Function, trusted: tuple[int, ...], linear: dict[Residuals, Linearised]) -> list[Step]:
    """The steps of a program; the linearised forwards are added to ``linear``, since VJPs are of those very ones."""
    masks: dict[Equation, list[Residuals]] = {}
    vjps = {Residuals(e.of, e.linearised): None for e in function.equations if isinstance(e, VjpEquation)}
    for key in dict.fromkeys((*vjps, *function.residuals)):
        masks.setdefault(key.of, []).append(key)
        linear[key] = linearised(key.of.signature, key.linearised)
    return [
        _step_of_vjp(e, linear)
        if isinstance(e, VjpEquation)
        else _step(e, [(linear[key], key) for key in masks[e]] if e in masks else [], e.number in trusted)
        for e in function.equations
    ]


def _step_of_vjp(equation: VjpEquation, linear: dict[Residuals, Linearised]) -> Step:
    key = Residuals(equation.of, equation.linearised)
    need = tuple(equation.linearised.index(k) for k in equation.wrt)
    traced = pulled(linear[key], need, tuple(c is None for c in equation.cotangents))
    return Step(equation, equation.reads(), traced, key)


def _step(equation: Equation, made: list[tuple[Linearised, Residuals]], trusted: bool) -> Step:
    signature = equation.signature
    if made:
        step = Step(equation, equation.inputs, *made[0])
        step.again = made[1:]
    else:
        if signature.traced is None:
            signature.traced, _ = forward(signature.op, signature.attrs, signature.casts, signature.specs)
        step = Step(equation, equation.inputs, signature.traced, None)
    if equation.op.valid is not None and not trusted:
        step.valid = rule_on_values(signature)
    return step


def checked(function: Function, trusted: tuple[int, ...]) -> tuple[int, ...]:
    """The recorded calls with a rule on their operands' values that a program checks itself, in the order of its flags."""
    found = [e.number for e in function.equations if isinstance(e, Equation) and e.op.valid is not None]
    return tuple(n for n in found if n is not None and n not in trusted)


def depends(function: Function, trusted: tuple[int, ...]) -> dict[Var, int]:
    """For each value, the equations whose operands' values are checked that it depends on, as bits."""
    found: dict[Var, int] = {}
    of_equation: dict[AnyEquation, int] = {}
    checked = 0
    for equation in function.equations:
        bits = 0
        if isinstance(equation, VjpEquation):
            bits = of_equation[equation.of]
        elif equation.op.valid is not None and equation.number not in trusted:
            bits, checked = 1 << checked, checked + 1
        for var in equation.reads():
            bits |= found.get(var, 0)
        of_equation[equation] = bits
        if bits:
            found.update((var, bits) for var in equation.outputs)
    return found
