"""The jaxprs of ops: traced once a signature, for shape inference, for the host's tier and for compiled programs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun, jaxprs_in_params

from ..ops.op import Op
from ..ops.promote import SCALAR_DTYPE
from .value import Aval, aval

TRACED_LIMIT = 8192
# A jaxpr this short is written into the program; a longer one is a function that XLA's input holds once for all its calls.
SHORT = 8
_changing = threading.Lock()
_traced: OrderedDict[Any, Any] = OrderedDict()


class Traced:
    """A pure function of arrays as a jaxpr, with the ways to run it.

    Attributes:
        closed: the jaxpr.
        host: the same function by NumPy, where the op declares one.
    """

    def __init__(self, closed: ClosedJaxpr, host: Callable[..., Sequence[Any]] | None = None) -> None:
        self.closed = closed
        self.host = host

    @cached_property
    def interpreted(self) -> Callable[..., Sequence[Any]]:
        """By NumPy, without a compiler."""
        if self.host is not None:
            return self.host
        from .host.interpreter import interpret  # its rules are loaded when the first program runs

        return interpret(self.closed)

    @cached_property
    def staged(self) -> Callable[..., Sequence[Any]]:
        """For use in a function that XLA compiles."""
        call = jaxpr_as_fun(self.closed)
        return call if self.size <= SHORT else jax.jit(call)

    @cached_property
    def size(self) -> int:
        """How many equations it has, those of inner jaxprs too."""
        return _size(self.closed.jaxpr)


class Linearised(Traced):
    """The forward of an op that also returns the residuals of its gradient.

    Attributes:
        count: how many results come before the residuals.
        tree: what becomes of residuals to make the VJP function again.
        origins: for each residual ``("operand", k)``, ``("result", k)`` or None: it is the same array.
    """

    def __init__(self, closed: ClosedJaxpr, count: int, tree: Any) -> None:
        super().__init__(closed)
        self.count = count
        self.tree = tree
        self.residuals = [aval(tuple(a.shape), np.dtype(a.dtype)) for a in closed.out_avals[count:]]
        self.origins = _origins(closed, count)


def _origins(closed: ClosedJaxpr, count: int) -> list[tuple[str, int] | None]:
    jaxpr = closed.jaxpr
    known: dict[Any, tuple[str, int]] = {}
    for side, variables in (("operand", jaxpr.invars), ("result", jaxpr.outvars[:count])):
        for k, v in enumerate(variables):
            if not isinstance(v, Literal):
                known.setdefault(v, (side, k))
    return [None if isinstance(v, Literal) else known.get(v) for v in jaxpr.outvars[count:]]


def _size(jaxpr: Any) -> int:
    return len(jaxpr.eqns) + sum(_size(inner) for eqn in jaxpr.eqns for inner in jaxprs_in_params(eqn.params))


def _once(key: Any, trace: Callable[[], Any]) -> Any:
    """What tracing gave for this key; the least recently used is forgotten when there are too many."""
    with _changing:
        found = _traced.get(key)
        if found is not None:
            _traced.move_to_end(key)
            return found
    made = trace()
    with _changing:
        _traced[key] = made
        while len(_traced) > TRACED_LIMIT:
            _traced.popitem(last=False)
    return made


def struct_of(spec: Any) -> jax.ShapeDtypeStruct:
    """What JAX is told of an operand: a tensor, or a Python number by its kind.

    JAX's caches take dtypes for the same that differ in their quantisation, so that is left out.
    """
    if isinstance(spec, str):
        return jax.ShapeDtypeStruct((), SCALAR_DTYPE[spec])
    dtype = spec.dtype if spec.dtype.metadata is None else np.dtype(spec.dtype.type)
    return jax.ShapeDtypeStruct(spec.shape, dtype)


def forward(op: Op, attrs: tuple[Any, ...], targets: tuple[Any, ...], specs: tuple[Any, ...]) -> tuple[Traced, bool]:
    """An op's jaxpr, and whether its results are a tuple."""

    def trace() -> tuple[Traced, bool]:
        closed, out = jax.make_jaxpr(op.bind(attrs, targets), return_shape=True)(*map(struct_of, specs))
        multi = isinstance(out, (tuple, list))
        host = None if op.host is None else partial(_by_host, op, attrs, targets, multi)
        return Traced(closed, host), multi

    found: tuple[Traced, bool] = _once((op, attrs, targets, specs), trace)
    return found


def _by_host(op: Op, attrs: tuple[Any, ...], targets: tuple[Any, ...], multi: bool, *arrays: Any) -> Sequence[Any]:
    assert op.host is not None
    cast = (a if t is None else a.astype(t) for a, t in zip(arrays, targets, strict=True))
    out = op.host(*cast, **dict(zip(op.attrs, attrs, strict=True)))
    return tuple(out) if multi else (out,)


def linearised(instr: Any, mask: tuple[int, ...]) -> Linearised:
    """The forward of an instruction with the residuals of its gradient with respect to the operands ``mask``."""

    def trace() -> Linearised:
        call = instr.op.bind(instr.attrs, instr.targets)
        tree: Any = None

        def run(*operands: Any) -> Any:
            nonlocal tree

            def of_masked(*some: Any) -> Any:
                full = list(operands)
                for k, x in zip(mask, some, strict=True):
                    full[k] = x
                return call(*full)

            out, pullback = jax.vjp(of_masked, *(operands[k] for k in mask))
            residuals, tree = jax.tree_util.tree_flatten(pullback)
            return (*(out if instr.multi else (out,)), *residuals)

        closed = jax.make_jaxpr(run)(*map(struct_of, instr.specs))
        return Linearised(closed, len(instr.avals), tree)

    found: Linearised = _once((instr.op, instr.attrs, instr.targets, instr.specs, "linearised", mask), trace)
    return found


def pulled(instr: Any, mask: tuple[int, ...], need: tuple[int, ...], absent: tuple[bool, ...]) -> Traced:
    """The gradient of an instruction: from residuals and cotangents to the cotangents of the operands ``need`` of ``mask``.

    Args:
        instr: the forward instruction.
        mask: the operands differentiated.
        need: which of those are wanted.
        absent: the results whose cotangent is zero and is not given.
    """

    def trace() -> Traced:
        forward = linearised(instr, mask)

        def run(residuals: Sequence[Any], cots: Sequence[Any]) -> Any:
            given = iter(cots)
            full = tuple(
                zero_cotangent(a) if none else next(given) for a, none in zip(instr.avals, absent, strict=True)
            )
            grads = jax.tree_util.tree_unflatten(forward.tree, residuals)(full if instr.multi else full[0])
            return tuple(grads[k] for k in need)

        cots = [struct_of(a) for a, none in zip(instr.avals, absent, strict=True) if not none]
        return Traced(jax.make_jaxpr(run)([struct_of(a) for a in forward.residuals], cots))

    key = (instr.op, instr.attrs, instr.targets, instr.specs, "pulled", mask, need, absent)
    found: Traced = _once(key, trace)
    return found


def rule_on_values(instr: Any) -> Traced:
    """An op's rule on its operands' values."""

    def trace() -> Traced:
        rule = partial(instr.op.valid, **dict(zip(instr.op.attrs, instr.attrs, strict=True)))
        return Traced(jax.make_jaxpr(rule)(*map(struct_of, instr.specs)))

    found: Traced = _once((instr.op, instr.attrs, instr.specs, "valid"), trace)
    return found


def zero_cotangent(of: Aval) -> Any:
    """The zero that JAX wants as cotangent of a result."""
    return jnp.zeros(of.shape, of.dtype) if of.is_float else np.zeros(of.shape, jax.dtypes.float0)
