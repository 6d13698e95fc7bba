"""Layout: a program's arrays with the channels behind the sizes, wherever that spares transpositions around its convolutions.

Where convolutions are oneDNN's, they take and give channels behind. The pass goes through the jaxpr of the whole program, in
which gradients and residuals are equations like others, and keeps each array in the layout in which it was computed: rules say
how elementwise ops, reductions, windows and so on are computed in the other one. An equation with operands of both layouts gets
the one for which fewer bytes have to be moved, and one without a rule gets its operands in the order of their dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ...ops.onednn import custom_call
from ..host.calls import called
from .arrays import Laid
from .rules import CONVOLUTIONS, RULES


def channels_behind(run: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """A function of arrays, to be compiled for the CPU, in the layout of its convolutions; the same numbers to rounding."""

    def laid(*arrays: Any) -> list[Any]:
        closed = jax.make_jaxpr(run)(*arrays)
        results = evaluated(closed, [Laid(a) for a in arrays])
        return [r.front for r in results]

    return laid if custom_call.ready() else run


def text(run: Callable[..., list[Any]], *arrays: Any) -> str:
    """The jaxpr that the pass makes of a function, for reading."""
    return str(jax.make_jaxpr(channels_behind(run))(*arrays))


def evaluated(closed: ClosedJaxpr, operands: Sequence[Laid]) -> list[Laid]:
    """Trace a jaxpr once more, equation by equation, each in the layout that costs less."""
    jaxpr = closed.jaxpr
    env: dict[Any, Laid] = dict(zip(jaxpr.constvars, map(Laid, closed.consts), strict=True))
    env.update(zip(jaxpr.invars, operands, strict=True))
    for eqn in jaxpr.eqns:
        given = [Laid(v.val) if isinstance(v, Literal) else env[v] for v in eqn.invars]
        env.update(zip(eqn.outvars, _computed(eqn, given), strict=True))
    return [Laid(v.val) if isinstance(v, Literal) else env[v] for v in jaxpr.outvars]


def _computed(eqn: Any, operands: list[Laid]) -> Sequence[Laid]:
    body = called(eqn)
    if body is not None:
        if any(o.is_behind for o in operands) or convolves(body.jaxpr):
            return evaluated(body, operands)
    elif eqn.primitive.name in RULES:
        found = RULES[eqn.primitive.name](eqn, operands)
        if found is not None:
            return found
    with eqn.ctx.manager:
        params = eqn.primitive.get_bind_params(eqn.params)
        results = eqn.primitive.bind(*(o.front for o in operands), **params)
    return list(map(Laid, results if eqn.primitive.multiple_results else [results]))


def convolves(jaxpr: Jaxpr) -> bool:
    """Whether there are convolutions in a jaxpr, those of its calls included."""
    return any(
        eqn.primitive.name in CONVOLUTIONS or ((body := called(eqn)) is not None and convolves(body.jaxpr))
        for eqn in jaxpr.eqns
    )
