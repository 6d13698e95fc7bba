"""Jaxprs as bytes: what they compute, without where they were written or what traced them."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import numpy as np
from jax import export
from jax.core import ShapedArray
from jax.extend.core import ClosedJaxpr, DebugInfo, DropVar, Jaxpr, JaxprEqn, Literal, Primitive, Var, new_jaxpr_eqn

from ..host.calls import as_closed
from ..symbols import Symbols, apart, is_symbolic

_CUSTOM = {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
_PUBLIC = "jax.extend.core.primitives"
_NOWHERE = DebugInfo("stored", "stored", None, None)


def dumps(content: Any, called: bool) -> bytes:
    """Tuples of jaxprs, numbers and texts as bytes.

    Args:
        content: what is to be kept.
        called: the jaxprs are only called, never differentiated: derivatives that the user's code gave are left out.

    Raises:
        Exception: of :mod:`pickle`, where something in there means nothing in another process, such as a function.
    """
    file = io.BytesIO()
    _Pickler(file, called).dump(content)
    return file.getvalue()


def loads(content: bytes, symbols: Symbols) -> Any:
    """What :func:`dumps` was given, with these symbols for those of the same names."""
    try:
        return _Unpickler(io.BytesIO(content), symbols).load()
    except _UnknownSizes:  # JAX reads sizes, which is done apart, and takes longer than all the rest
        return apart(lambda: _Unpickler(io.BytesIO(content), symbols, reads=True).load())


class _Pickler(pickle.Pickler):
    """Writes what jaxprs are made of with names of its own, which are short and always the same."""

    def __init__(self, file: Any, called: bool) -> None:
        super().__init__(file, 5)
        self._called = called

    def persistent_id(self, value: Any) -> str | None:
        if is_symbolic(value):
            return f"size {value}"
        if type(value) is ShapedArray:
            return f"aval {value.dtype.name} {value.weak_type:d} {'; '.join(map(str, value.shape))}"
        if isinstance(value, Primitive):
            return f"primitive {_home(value)}"
        if isinstance(value, np.dtype) and value.metadata is None and value.fields is None:
            return f"dtype {value.name}"
        return _CODES.get(value) if callable(value) else None

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind is JaxprEqn:
            return _equation, self._equation(value)
        if isinstance(value, Var):
            return (DropVar if kind is DropVar else Var), (value.aval,)
        if kind is Literal:
            return Literal, (np.asarray(value.val, value.aval.dtype)[()], value.aval)
        if kind in (ClosedJaxpr, Jaxpr):  # one class from JAX 0.12 on
            own = value.jaxpr if kind is ClosedJaxpr else value
            consts = [np.asarray(c) for c in value.consts] if hasattr(value, "consts") else None
            return _jaxpr, (own.constvars, own.invars, own.outvars, own.eqns, own.effects, consts)
        if isinstance(value, jax.Array):
            return np.asarray, (np.asarray(value),)
        return NotImplemented

    def _equation(self, eqn: JaxprEqn) -> tuple[Any, ...]:
        primitive, params = eqn.primitive, eqn.params
        if self._called and primitive.name in _CUSTOM:
            primitive, params = _closed_call(), {"call_jaxpr": as_closed(params[_CUSTOM[primitive.name]])}
        return eqn.invars, eqn.outvars, primitive, params, eqn.effects


class _UnknownSizes(Exception):
    """Sizes that were not met before."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, symbols: Symbols, reads: bool = False) -> None:
        super().__init__(file)
        self._symbols = symbols
        self._reads = reads

    def persistent_load(self, text: str) -> Any:
        found = _MEANT.get(text)
        if found is not None:
            return found
        what, _, name = text.partition(" ")
        if what == "primitive":
            found = _primitive(name)
        elif what == "dtype":
            found = np.dtype(name)
        else:
            return _of_sizes(text, self._symbols.sizes, self._reads)
        _MEANT[text] = found
        return found


_made: dict[tuple[str, int], tuple[Any, Any]] = {}


def _of_sizes(text: str, symbols: tuple[Any, ...], reads: bool) -> Any:
    """A size of these symbols, or an aval of such sizes."""
    scope = symbols[0].scope if symbols else None
    known = _made.get((text, id(scope)))
    if known is None or known[0] is not scope:
        if not reads and scope is not None:
            raise _UnknownSizes
        known = _made[text, id(scope)] = scope, _read(text, scope)
    return known[1]


def _read(text: str, scope: Any) -> Any:
    what, _, rest = text.partition(" ")
    if what == "size":
        return export.symbolic_shape(f"{rest},", scope=scope)[0]
    dtype, weak, shape = rest.split(" ", 2)
    sizes = [int(n) if n.isdigit() else export.symbolic_shape(f"{n},", scope=scope)[0] for n in shape.split("; ") if n]
    return ShapedArray(tuple(sizes), np.dtype(dtype), weak_type=weak == "1")


@cache
def _closed_call() -> Primitive:
    return _primitive(f"{_PUBLIC} closed_call_p")


@cache
def _home(primitive: Primitive) -> str:
    """The module and the name that a primitive is found by.

    Raises:
        pickle.PicklingError: there are none.
    """
    for start in (_PUBLIC, "jax.", "megengine.ops."):
        for module in [m for m in sys.modules if m.startswith(start)]:
            for name, value in list(vars(sys.modules[module]).items()):
                if value is primitive:
                    return f"{module} {name}"
    raise pickle.PicklingError(f"the primitive {primitive.name} has no name in a module")


def _primitive(home: str) -> Any:
    module, _, name = home.partition(" ")
    return getattr(importlib.import_module(module), name)


def _equation(
    invars: Sequence[Any], outvars: Sequence[Any], primitive: Any, params: dict[str, Any], effects: Any
) -> JaxprEqn:
    return new_jaxpr_eqn(invars, outvars, primitive, params, effects)


def _jaxpr(
    constvars: Any, invars: Any, outvars: Any, eqns: Any, effects: Any, consts: Sequence[Any] | None
) -> Jaxpr | ClosedJaxpr:
    made = Jaxpr(constvars, invars, outvars, eqns, effects, _NOWHERE)
    return made if consts is None else ClosedJaxpr(made, consts)


_CODES = {what: str(k) for k, what in enumerate((_equation, _jaxpr, Var, DropVar, Literal, np.asarray))}
_MEANT: dict[str, Any] = {code: what for what, code in _CODES.items()}
