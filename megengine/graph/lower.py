"""From a recorded structure to one pure function of arrays, in which gradients use what their forward kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..ops.op import Op
from .differentiate import zero_cotangent
from .structure import Instr, Pull, State
from .value import Aval

PULLBACKS_LIMIT = 4096
_changing = threading.Lock()
_pullback_ops: dict[tuple[Any, ...], Op] = {}


def lower(
    state: State,
    live: tuple[int, ...],
    kept: tuple[tuple[int, tuple[int, ...]], ...],
    check_nan: bool,
    guards: tuple[Any, ...] = (),
    trusted: tuple[int, ...] = (),
) -> tuple[Callable[..., Any], list[tuple[Op, tuple[Any, ...]]]]:
    """The function a structure computes.

    Args:
        state: the structure.
        live: positions of the values to return.
        kept: instructions (with differentiated operands) whose pullbacks must outlive this program.
        check_nan: also return, first, whether each input and each op's results hold NaN.
        guards: whether the graph holds an optimizer's step, then pairs of positions: in place of the first's value the second's
            is returned where an op that it depends on, or any op of a step, got values that it does not take.
        trusted: instructions whose operands' values are known to be ones that they take.

    Where ops have a rule on their operands' values, the function returns next whether each of them holds.

    Returns:
        The function ``f([floats,] [ints,] *inputs) -> list of arrays`` and a list that tracing fills with, for each of
        ``kept``, the op that is its pullback and where its arrays are: ``("out", k)`` or ``("in", k)``.
    """
    states = state.path()
    inputs = [position for position, _ in state.input_positions()]
    pulls = {(s.instr.source, s.instr.mask) for s in states if isinstance(s.instr, Pull)} | set(kept)
    masks: dict[int, list[tuple[int, ...]]] = {}
    for source, mask in pulls:
        masks.setdefault(source, []).append(mask)
    pullbacks_out: list[tuple[Op, tuple[Any, ...]]] = []
    bits = depends(state, trusted) if guards else {}

    def run(*args: Any) -> list[Any]:
        rest = list(args)
        floats = rest.pop(0) if state.floats else None
        ints = rest.pop(0) if state.ints else None
        env: dict[int, Any] = dict(zip(inputs, rest, strict=True))
        pullbacks: dict[tuple[int, tuple[int, ...]], Any] = {}
        flags = [jnp.isnan(a).any() if _may_hold_nan(a) else jnp.bool_(False) for a in rest] if check_nan else []
        holds = []
        for number, step in enumerate(states):
            instr = step.instr
            if isinstance(instr, Pull):
                source = states[instr.source].instr
                outs = _pull(pullbacks[instr.source, instr.mask], source, instr, env)
            else:
                operands = [_operand(o, env, floats, ints) for o in instr.operands]
                if instr.op.valid is not None and number not in trusted:
                    holds.append(instr.op.valid(*operands, **dict(zip(instr.op.attrs, instr.attrs, strict=True))))
                outs = _call(number, instr, operands, masks.get(number, ()), pullbacks)
            env.update(zip(range(instr.start, instr.start + len(outs)), outs, strict=True))
            if check_nan:
                bad = [jnp.isnan(o).any() for o in outs if _may_hold_nan(o)]
                flags.append(jnp.stack(bad).any() if bad else jnp.bool_(False))
        results = [jnp.stack(flags)] if check_nan else []
        if holds:
            results.append(jnp.stack(holds))
        guarded = _guarded(guards, bits, holds, flags, env)
        results += [guarded.get(position, env[position]) for position in live]
        pullbacks_out[:] = [_keep(states[k[0]].instr, k, pullbacks[k], rest, results) for k in kept]
        return results

    return run, pullbacks_out


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


def _guarded(
    guards: tuple[Any, ...], bits: dict[int, int], holds: list[Any], flags: list[Any], env: dict[int, Any]
) -> dict[int, Any]:
    """The values to return for the first positions of ``guards``."""
    if not guards:
        return {}
    stepped, *pairs = guards
    everything = (1 << len(holds)) - 1
    fine: dict[int, Any] = {}

    def all_of(needed: int) -> Any:
        if needed not in fine:
            chosen = [h for k, h in enumerate(holds) if needed >> k & 1]
            chosen += [~jnp.stack(flags).any()] if stepped and flags else []
            fine[needed] = jnp.stack(chosen).all() if chosen else None
        return fine[needed]

    out = {}
    for new, old in pairs:
        condition = all_of(everything if stepped else bits.get(new, 0))
        out[new] = env[new] if condition is None else jnp.where(condition, env[new], env[old])
    return out


def _may_hold_nan(array: Any) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.inexact))


def _operand(operand: Any, env: dict[int, Any], floats: Any, ints: Any) -> Any:
    if isinstance(operand, int):
        return env[operand]
    kind, k = operand
    if kind == "f":
        return floats[k]
    return ints[k] if kind == "i" else ints[k] != 0


def _call(
    number: int, instr: Instr, operands: list[Any], masks: Sequence[tuple[int, ...]], pullbacks: dict[Any, Any]
) -> tuple[Any, ...]:
    call = instr.op.bind(instr.attrs, instr.targets)
    out = None
    for mask in masks:

        def of_masked(*some: Any, mask: tuple[int, ...] = mask) -> Any:
            full = list(operands)
            for k, x in zip(mask, some, strict=True):
                full[k] = x
            return call(*full)

        again, pullbacks[number, mask] = jax.vjp(of_masked, *(operands[k] for k in mask))
        out = again if out is None else out
    if out is None:
        out = call(*operands)
    return tuple(out) if instr.multi else (out,)


def _pull(pullback: Any, source: Instr, instr: Pull, env: dict[int, Any]) -> tuple[Any, ...]:
    cots = tuple(zero_cotangent(a) if c is None else env[c] for c, a in zip(instr.cots, source.avals, strict=True))
    grads = pullback(cots if source.multi else cots[0])
    return tuple(grads[k] for k in instr.need)


def _keep(instr: Instr, key: Any, pullback: Any, inputs: list[Any], results: list[Any]) -> tuple[Op, tuple[Any, ...]]:
    """Return a pullback's arrays through ``results`` (each array once) and say where each is."""
    leaves, tree = jax.tree_util.tree_flatten(pullback)
    sources: list[Any] = []
    for leaf in leaves:
        at_input = next((k for k, a in enumerate(inputs) if a is leaf), None)
        if at_input is not None:
            sources.append(("in", at_input))
            continue
        at = next((k for k, a in enumerate(results) if a is leaf), None)
        if at is None:
            at = len(results)
            results.append(jnp.asarray(leaf))
        sources.append(("out", at))
    return _pullback_op(instr, key[1], leaves, tree), tuple(sources)


def _pullback_op(instr: Instr, mask: tuple[int, ...], leaves: list[Any], tree: Any) -> Op:
    """A pullback as an op, one for all programs that keep it of such an instruction, so that what uses it is the same too."""
    same = tuple(instr.operands.index(o) for o in instr.operands)
    key = (instr.op, instr.attrs, instr.specs, same, mask, tuple((a.shape, a.dtype) for a in leaves))
    with _changing:
        found = _pullback_ops.pop(key, None)
        if found is None:
            found = _new_pullback_op(instr, tree)
            if len(_pullback_ops) >= PULLBACKS_LIMIT:
                _pullback_ops.pop(next(iter(_pullback_ops)), None)
        _pullback_ops[key] = found
    return found


def _new_pullback_op(instr: Instr, tree: Any) -> Op:
    multi = instr.multi

    def apply_pullback(arrays: Sequence[Any], cots: tuple[Any, ...]) -> Any:
        return jax.tree_util.tree_unflatten(tree, arrays)(cots if multi else cots[0])

    return Op(f"{instr.op.name}.grad", apply_pullback)


def describe_avals(avals: Sequence[Aval]) -> str:
    """Abstract values as text."""
    return ", ".join(map(repr, avals))
