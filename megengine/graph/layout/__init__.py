"""Layout: a program's arrays with the channels behind the sizes, wherever that spares transpositions around its convolutions.

Where convolutions are oneDNN's, they take and give channels behind. The pass goes through the jaxpr of the whole program, in
which gradients and residuals are equations like others, and keeps each array in the layout in which it was computed: rules say
how elementwise ops, reductions, windows and so on are computed in the other one. An equation with operands of both layouts gets
the one for which fewer bytes have to be moved, and one without a rule gets its operands in the order of their dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Literal

from ...ops.composite import PLAIN
from ...ops.conv import conv, conv_transpose
from ...ops.onednn import custom_call
from ..ir import Equation, Function
from .arrays import Laid
from .flat import Flat, Name, Step
from .pending import Pending, joined, rectifiers
from .rules import RULES


def channels_behind(run: Callable[..., list[Any]], kept: Sequence[int] = ()) -> Callable[..., list[Any]]:
    """A function of arrays, to be compiled for the CPU, in the layout of its convolutions; the same numbers to rounding.

    Args:
        run: the function.
        kept: which of its arguments are kernels that stay as they are from call to call. If there are any, the result has one
            more argument behind the others: their numbers (see ``megengine.graph.serials``).
    """

    def laid(*arrays: Any) -> list[Any]:
        numbers = arrays[-1] if kept else None
        arrays = arrays[:-1] if kept else arrays
        closed = jax.make_jaxpr(run)(*arrays)
        operands = list(map(Laid, arrays))
        for k, argument in enumerate(kept):
            operands[argument].kept = numbers, k
        results = evaluated(closed, operands)
        return [r.front for r in results]

    return laid if custom_call.ready() else run


def text(run: Callable[..., list[Any]], *arrays: Any) -> str:
    """The jaxpr that the pass makes of a function, for reading."""
    return str(jax.make_jaxpr(channels_behind(run))(*arrays))


def kernels(function: Function) -> tuple[int, ...]:
    """Which inputs of a function are the kernels of its convolutions, as they are."""
    number = {var: k for k, var in enumerate(function.inputs)}
    equations = [e for e in function.equations if isinstance(e, Equation) and e.op in (conv, conv_transpose)]
    return tuple(sorted({number[e.inputs[1]] for e in equations if e.inputs[1] in number}))  # type: ignore[index]


def evaluated(closed: ClosedJaxpr, operands: Sequence[Laid]) -> list[Laid]:
    """Trace a jaxpr once more, equation by equation, each in the layout that costs less."""
    flat = Flat(closed)
    env: dict[Any, Laid] = {name: Laid(array) for name, array in flat.constants.items()}
    env.update(zip(flat.inputs, operands, strict=True))
    last = rectifiers(flat)
    within = {member for found in last.values() for member in found.members}

    def of(v: Any) -> Laid:
        return Laid(v.val) if isinstance(v, Literal) else env[v]

    def compute(step: Step) -> None:
        given = list(map(of, step.invars))
        once = [type(v) is Name and flat.uses[v] == 1 for v in step.invars]
        results = None if (made := joined(step, given, once)) is None else [made]
        env.update(zip(step.outvars, results or _computed(step, given), strict=True))

    for step in flat.steps:
        if step in last:
            source = env[last[step].source]
            rectified = last[step].of(source) if isinstance(source, Pending) else None
            if rectified is not None:
                env[step.outvars[0]] = rectified
                continue
            for member in last[step].members:
                compute(member)
        elif step not in within:
            compute(step)
    return list(map(of, flat.outputs))


def _computed(step: Step, operands: list[Laid]) -> Sequence[Laid]:
    name = step.primitive.name
    if name in RULES:
        found = RULES[name](step, operands)
        if found is not None:
            return found
    if name in PLAIN:
        structs = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in step.invars]
        return evaluated(jax.make_jaxpr(partial(PLAIN[name], **step.params))(*structs), operands)
    with step.ctx.manager:
        params = step.primitive.get_bind_params(step.params)
        results = step.primitive.bind(*(o.front for o in operands), **params)
    return list(map(Laid, results if step.primitive.multiple_results else [results]))
