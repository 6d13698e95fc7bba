"""A jaxpr of symbolic sizes, and what is made of it once the sizes are given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.extend.core import ClosedJaxpr, jaxprs_in_params
from jax.interpreters import partial_eval

from .symbols import ALWAYS, Symbols, Table

if TYPE_CHECKING:
    from .host.interpreter import Runner

Sizes = tuple[int, ...]
_reading = threading.RLock()  # a template's table is written while it is read


class Template:
    """A jaxpr of symbolic sizes.

    Args:
        closed: the jaxpr.
        symbols: its symbols.
        condition: on these, under which it holds, if that is known; otherwise :meth:`complete` finds it.
    """

    def __init__(self, closed: ClosedJaxpr, symbols: Symbols, condition: str = "") -> None:
        self.closed = closed
        self.symbols = symbols
        self.table = Table(symbols)
        self.dtypes = [np.dtype(a.dtype) for a in closed.out_avals]
        self.condition = condition
        if not condition:
            if any(map(_is_wide, _variables(closed.jaxpr))):
                raise NotImplementedError("what is of 64 bits is traced in a setting of its own")
            self.read  # noqa: B018 - what cannot be done with symbols is found out while it is traced

    @cached_property
    def read(self) -> tuple[Any, list[Callable[[Any], Sizes]]]:
        """What runs it by NumPy, and the shapes of its results, once its sizes are given."""
        from .host.sized import Sized  # its rules are loaded when the first program runs

        with _reading:
            host = Sized(self.closed, self.table)
            return host, [self.table.shape(a.shape) or _constant(tuple(a.shape)) for a in self.closed.out_avals]

    def giving(self, some: Sequence[int]) -> Template:
        """What gives only some of its results, in the order in which it gives them."""
        used = [k in some for k in range(len(self.dtypes))]
        if all(used):
            return self
        jaxpr, _ = partial_eval.dce_jaxpr(self.closed.jaxpr, used, instantiate=True)
        return Template(ClosedJaxpr(jaxpr, self.closed.consts), self.symbols, self.condition)

    @cached_property
    def size(self) -> int:
        """See :func:`size_of`."""
        return size_of(self.closed.jaxpr)

    def complete(self) -> None:
        """See :class:`Serving`."""
        self.condition = self.symbols.served(self.table.of_shapes, self.table.of_values)

    @cached_property
    def _holds(self) -> Callable[..., bool]:
        return self.symbols.compile(self.condition)

    def serves(self, *values: int) -> bool:
        """See :class:`Serving`."""
        return self.condition == ALWAYS or self._holds(*values)

    def at(self, values: Sizes) -> AtSizes:
        """The jaxpr for these values of its symbols, which it must serve."""
        return AtSizes(self, values)


def size_of(jaxpr: Any) -> int:
    """How many equations a jaxpr has, those of inner ones too."""
    return len(jaxpr.eqns) + sum(size_of(inner) for eqn in jaxpr.eqns for inner in jaxprs_in_params(eqn.params))


def _variables(jaxpr: Any) -> Iterator[Any]:
    yield from jaxpr.invars
    for eqn in jaxpr.eqns:
        yield from eqn.outvars
        for inner in jaxprs_in_params(eqn.params):
            yield from _variables(inner)


def _is_wide(variable: Any) -> bool:
    dtype = variable.aval.dtype
    return bool(dtype.itemsize > (8 if dtype.kind == "c" else 4))


def _constant(shape: Sizes) -> Callable[[Any], Sizes]:
    return lambda sizes: shape


class AtSizes:
    """A template at given sizes."""

    __slots__ = ("template", "values")

    def __init__(self, template: Template, values: Sizes) -> None:
        self.template = template
        self.values = values

    def results(self) -> list[tuple[Sizes, np.dtype]]:
        """Shapes and dtypes of its results."""
        template = self.template
        _, shapes = template.read
        sizes = template.table.evaluate(self.values)
        return [(shape(sizes), dtype) for shape, dtype in zip(shapes, template.dtypes, strict=True)]

    def interpreted(self) -> Runner:
        """By NumPy."""
        host, _ = self.template.read
        run: Runner = host.interpreted(self.template.table.evaluate(self.values))
        return run

    def closed(self) -> ClosedJaxpr:
        """As a jaxpr without symbols."""
        if not self.values:
            return self.template.closed
        from .concrete import at_sizes

        return at_sizes(self.template.closed, self.template.table, self.values)
