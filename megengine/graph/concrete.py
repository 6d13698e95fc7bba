"""A jaxpr of symbolic sizes as one of numbers, as XLA compiles it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from .host.calls import as_closed, called
from .symbols import Table, is_symbolic


def at_sizes(closed: ClosedJaxpr, table: Table, values: Sequence[int]) -> ClosedJaxpr:
    """The jaxpr with these values of the symbols: it computes the same, in the same order, and returns the same.

    Args:
        closed: the jaxpr.
        table: of its sizes.
        values: of the symbols.
    """
    return _Substitution(table, values).closed(closed)


class _Substitution:
    def __init__(self, table: Table, values: Sequence[int]) -> None:
        self.table = table
        self.values = values

    def size(self, size: Any) -> int:
        if not is_symbolic(size):
            return int(size)
        place = self.table.place(size)
        return self.table.evaluate(self.values)[place]

    def struct(self, aval: Any) -> jax.ShapeDtypeStruct:
        shape = tuple(map(self.size, aval.shape))
        return jax.ShapeDtypeStruct(shape, aval.dtype, weak_type=aval.weak_type)

    def closed(self, closed: ClosedJaxpr) -> ClosedJaxpr:
        structs = [self.struct(v.aval) for v in closed.jaxpr.invars]
        return jax.make_jaxpr(lambda *arrays: self.run(closed, arrays))(*structs)

    def run(self, closed: ClosedJaxpr, arrays: Sequence[Any]) -> list[Any]:
        """What a jaxpr computes, recorded as numbers are its sizes."""
        jaxpr = closed.jaxpr
        env: dict[Any, Any] = dict(zip(jaxpr.invars, arrays, strict=True))
        env.update(zip(jaxpr.constvars, closed.consts, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else env[atom]

        for eqn in jaxpr.eqns:
            outs = self.equation(eqn, list(map(read, eqn.invars)))
            env.update(zip(eqn.outvars, outs, strict=True))
        return list(map(read, jaxpr.outvars))

    def equation(self, eqn: Any, operands: list[Any]) -> Sequence[Any]:
        name = eqn.primitive.name
        if (body := called(eqn)) is not None:
            return self.run(body, operands)
        if name == "dim_as_value":
            return [np.asarray(self.size(eqn.params["dim"]), eqn.outvars[0].aval.dtype)]
        params = eqn.primitive.get_bind_params({k: self.param(v) for k, v in eqn.params.items()})
        with eqn.ctx.manager:
            out = eqn.primitive.bind(*operands, **params)
        return out if eqn.primitive.multiple_results else [out]

    def param(self, value: Any) -> Any:
        if is_symbolic(value):
            return self.size(value)
        if isinstance(value, tuple):
            made = [self.param(v) for v in value]
            return type(value)(*made) if hasattr(value, "_fields") else tuple(made)
        if isinstance(value, ClosedJaxpr):
            return self.closed(value)
        if isinstance(value, Jaxpr):
            return self.closed(as_closed(value)).jaxpr
        return value
