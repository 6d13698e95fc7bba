"""The op of a collective among processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np

from ..ops.collective import Axes, collective, in_order
from ..ops.op import Op
from .traced import Traced

__all__ = ["op", "ranks_of"]


class OfRanks(Traced):
    """A collective: compiled within a program of all its ranks, else an executable of its own."""

    @cached_property
    def staged(self) -> Callable[..., Sequence[Any]]:
        """For use in a function of ``shard_map``."""
        (equation,) = self.closed.jaxpr.eqns
        return partial(in_order, **equation.params)


def _jaxpr(name: str, ranks: tuple[int, ...], axes: Axes, shape: tuple[int, ...], dtype: np.dtype) -> OfRanks:
    def bound(x: Any, token: Any) -> Any:
        return collective.bind(x, token, name=name, ranks=ranks, axes=axes)

    structs = jax.ShapeDtypeStruct(shape, dtype), jax.ShapeDtypeStruct((), bool)
    return OfRanks(jax.make_jaxpr(bound)(*structs))


def _lower(x: Any, token: Any, *, name: str, ranks: tuple[int, ...], axes: Axes, shape: Any, dtype: Any) -> Any:
    return in_order(x, token, name=name, ranks=ranks, axes=axes)


ATTRS = ("name", "ranks", "axes", "shape", "dtype")
op = Op("collective", _lower, ATTRS, differentiable=False, jaxpr=_jaxpr, once=True)


def ranks_of(equations: Sequence[Any]) -> list[tuple[int, ...]]:
    """The ranks of each collective among some equations."""
    return [e.signature.attrs[1] for e in equations if getattr(e, "op", None) is op]
