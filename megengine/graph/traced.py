"""The jaxprs of ops: traced once a signature, for shape inference, for the host's tier and for compiled programs."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from ..ops.op import Op
from ..ops.promote import SCALAR_DTYPE
from .caches import Cache
from .elementwise import elementwise
from .polymorphic import plain, share
from .signature import Signature
from .stored.jaxprs import dumps, loads
from .symbols import ALWAYS, Symbols
from .template import AtSizes, Template, size_of
from .value import Aval, aval

if TYPE_CHECKING:
    from .host.interpreter import Runner

# A jaxpr this short is written into the program; a longer one is a function that XLA's input holds once for all its calls.
SHORT = 8
_changing = threading.Lock()
_traced = Cache(8192)


class Traced:
    """A pure function of arrays as a jaxpr, with the ways to run it.

    Args:
        source: the jaxpr, or one of symbolic sizes and what these are.
    """

    def __init__(self, source: ClosedJaxpr | AtSizes) -> None:
        self.source = source

    @cached_property
    def closed(self) -> ClosedJaxpr:
        """The jaxpr."""
        return self.source.closed() if isinstance(self.source, AtSizes) else self.source

    def results(self) -> list[tuple[tuple[int, ...], np.dtype]]:
        """Shapes and dtypes of its results."""
        if isinstance(self.source, AtSizes):
            return self.source.results()
        return [(tuple(a.shape), np.dtype(a.dtype)) for a in self.source.out_avals]

    @cached_property
    def interpreted(self) -> Runner:
        """By NumPy, without a compiler."""
        if isinstance(self.source, AtSizes):
            return self.source.interpreted()
        from .host.interpreter import interpret_aloud  # its rules are loaded when the first program runs

        return interpret_aloud(self.source)

    @cached_property
    def staged(self) -> Callable[..., Sequence[Any]]:
        """For use in a function that XLA compiles."""
        call = jaxpr_as_fun(self.closed)
        return call if self.size <= SHORT else jax.jit(call)

    @cached_property
    def size(self) -> int:
        """How many equations it has, those of inner jaxprs too."""
        return self.source.template.size if isinstance(self.source, AtSizes) else size_of(self.source.jaxpr)


class Linearised(Traced):
    """The forward of an op that also returns the residuals of its gradient.

    Args:
        source: as of any :class:`Traced`.
        forward: what was traced.

    Attributes:
        count: how many results come before the residuals.
        residuals: what they are.
        origins: for each residual ``("operand", k)``, ``("result", k)`` or None: it is the same array.
        pulls: the gradients made of it.
    """

    def __init__(self, source: ClosedJaxpr | AtSizes, forward: Forward) -> None:
        super().__init__(source)
        self.forward = forward
        self.count = forward.count
        self.residuals = [aval(*of) for of in self.results()[self.count :]]
        self.origins = forward.origins
        self.pulls: dict[Any, Traced] = {}


class Forward:
    """A linearised forward as it was traced.

    Attributes:
        tree: what becomes of residuals to make the VJP function again.
        count: how many results come before the residuals.
        multi: whether the op's results are a tuple.
        origins: see :class:`Linearised`.
    """

    def __init__(self, closed: ClosedJaxpr, tree: Any, count: int, multi: bool) -> None:
        self.closed = closed
        self.tree = tree
        self.count = count
        self.multi = multi
        self.origins = _origins(closed, count)

    def pulled(self, need: Sequence[int], absent: Sequence[bool]) -> ClosedJaxpr:
        """See :func:`pulled`."""
        outs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in self.closed.out_avals]
        outs, residuals = outs[: self.count], outs[self.count :]

        def run(residuals: Sequence[Any], cots: Sequence[Any]) -> Any:
            given = iter(cots)
            full = tuple(zero_cotangent(a) if none else next(given) for a, none in zip(outs, absent, strict=True))
            grads = jax.tree_util.tree_unflatten(self.tree, residuals)(full if self.multi else full[0])
            return tuple(grads[k] for k in need)

        return jax.make_jaxpr(run)(residuals, [a for a, none in zip(outs, absent, strict=True) if not none])

    def pulled_at(self, source: Any, need: tuple[int, ...], absent: tuple[bool, ...]) -> Traced:
        """What pulls back for a linearised forward that was made of this one."""
        return Traced(self.pulled(need, absent))


class SharedForward(Forward):
    """A linearised forward of symbolic sizes.

    What its residuals are only its own gradient knows, so it serves sizes for which that can be had: all of it, at least.

    Args:
        closed, tree, count, multi: as of any :class:`Forward`; what was stored has no tree.
        operands: how many are differentiated.
        symbols: of the jaxprs.
        stored: of what was stored the condition on the symbols, and what gives the whole gradient.
    """

    def __init__(
        self,
        closed: ClosedJaxpr,
        tree: Any,
        count: int,
        multi: bool,
        operands: int,
        symbols: Symbols,
        stored: tuple[str, Callable[[], ClosedJaxpr]] | None = None,
    ) -> None:
        super().__init__(closed, tree, count, multi)
        self.operands = operands
        self.symbols = symbols
        self.absent = tuple(not _is_float(a.dtype) for a in closed.out_avals[:count])
        self._stored = stored
        self.template = Template(closed, symbols, stored[0] if stored else "")
        self.parts: dict[Any, Template | None] = {}
        self.pullback: Op | None = None
        if stored is None:
            self.whole  # noqa: B018 - whether there is a gradient is found out while it is traced

    @cached_property
    def whole(self) -> Template:
        """All of the gradient."""
        if self._stored is not None:
            return Template(self._stored[1](), self.symbols, self.template.condition)
        return Template(self.pulled(range(self.operands), self.absent), self.symbols)

    def complete(self) -> None:
        """See :class:`Template`."""
        self.template.complete()
        self.whole.complete()

    def serves(self, *values: int) -> bool:
        """Whether it can be had for these values of the symbols."""
        return self.template.serves(*values) and (self._stored is not None or self.whole.serves(*values))

    def store(self) -> Any:
        """What :meth:`restore` takes."""
        conditions = {self.template.condition, self.whole.condition} - {ALWAYS}
        condition = " and ".join(sorted(conditions)) or ALWAYS
        parts = {key: dumps(part.closed, False) for key, part in self.parts.items() if part and key[1] != self.absent}
        gradient = dumps(self.whole.closed, False), parts
        return dumps(self.closed, True), self.count, self.multi, self.operands, condition, gradient

    @classmethod
    def restore(cls, content: Any, symbols: Symbols) -> SharedForward:
        """The same again."""
        closed, count, multi, operands, condition, (whole, parts) = content
        stored = condition, lambda: loads(whole, symbols)
        made = cls(loads(closed, symbols), None, count, multi, operands, symbols, stored)
        made.parts.update((key, Template(loads(part, symbols), symbols, condition)) for key, part in parts.items())
        return made

    def pulled_at(self, source: Any, need: tuple[int, ...], absent: tuple[bool, ...]) -> Traced:
        template = self._part(need, absent)
        if template is not None and template.serves(*source.values):
            return Traced(template.at(source.values))
        outs = source.results()
        cots = [jax.ShapeDtypeStruct(*of) for of in outs[: self.count]]
        whole = jaxpr_as_fun(self.whole.at(source.values).closed())

        def run(residuals: Sequence[Any], given: Sequence[Any]) -> Any:
            rest = iter(given)
            cotangents = [jnp.zeros(c.shape, c.dtype) if a else next(rest) for c, a in zip(cots, absent, strict=True)]
            kept = [c for c, a in zip(cotangents, self.absent, strict=True) if not a]
            grads = whole(*residuals, *kept)
            return tuple(grads[k] for k in need)

        structs = [jax.ShapeDtypeStruct(*of) for of in outs[self.count :]]
        return Traced(jax.make_jaxpr(run)(structs, [c for c, a in zip(cots, absent, strict=True) if not a]))

    @cached_property
    def identity(self) -> str:
        """A name of what it keeps that means the same in every process; empty if there is none."""
        text = f"{self.closed} {self.whole.closed}"
        return "" if " at 0x" in text else hashlib.sha256(text.encode()).hexdigest()

    def _part(self, need: tuple[int, ...], absent: tuple[bool, ...]) -> Template | None:
        """The gradient of some operands with symbols; None where that cannot be had."""
        with _changing:
            if (need, absent) in self.parts:
                return self.parts[need, absent]
        made: Template | None = None
        if absent == self.absent and list(need) == sorted(need):
            made = self.whole.giving(need)
        elif self.tree is not None:
            made = self.symbols.trace(lambda: Template(self.pulled(need, absent), self.symbols))
            if made is not None:
                made.complete()
        with _changing:
            return self.parts.setdefault((need, absent), made)


def _origins(closed: ClosedJaxpr, count: int) -> list[tuple[str, int] | None]:
    jaxpr = closed.jaxpr
    known: dict[Any, tuple[str, int]] = {}
    for side, variables in (("operand", jaxpr.invars), ("result", jaxpr.outvars[:count])):
        for k, v in enumerate(variables):
            if not isinstance(v, Literal):
                known.setdefault(v, (side, k))
    return [None if isinstance(v, Literal) else known.get(v) for v in jaxpr.outvars[count:]]


def struct_of(spec: Any) -> jax.ShapeDtypeStruct:
    """What JAX is told of an operand: a tensor, or a Python number by its kind."""
    if isinstance(spec, Aval):
        return jax.ShapeDtypeStruct(spec.shape, plain(spec.dtype))
    return jax.ShapeDtypeStruct((), SCALAR_DTYPE[spec]) if isinstance(spec, str) else spec


class _Shared:
    """An op traced with symbols."""

    def __init__(self, closed: ClosedJaxpr, symbols: Symbols, multi: bool, condition: str = "") -> None:
        self.template = Template(closed, symbols, condition)
        self.symbols = symbols
        self.multi = multi

    def store(self) -> Any:
        """What :meth:`restore` takes."""
        return dumps(self.template.closed, True), self.multi, self.template.condition

    @classmethod
    def restore(cls, content: Any, symbols: Symbols) -> _Shared:
        """The same again."""
        closed, multi, condition = content
        return cls(loads(closed, symbols), symbols, multi, condition)

    def complete(self) -> None:
        self.template.complete()

    def serves(self, *values: int) -> bool:
        return self.template.serves(*values)


def _written_out(op: Op) -> AbstractContextManager[object]:
    """Have an op of this package traced without the jits of ``jax.numpy``: they are written out anyway, in more time."""
    return jax.disable_jit() if op.identity else nullcontext()


def forward(op: Op, attrs: tuple[Any, ...], targets: tuple[Any, ...], specs: tuple[Any, ...]) -> tuple[Traced, bool]:
    """An op's jaxpr, and whether its results are a tuple."""

    def jaxpr(attrs: tuple[Any, ...], specs: Sequence[Any]) -> tuple[ClosedJaxpr, bool]:
        with _written_out(op):
            closed, out = jax.make_jaxpr(op.bind(attrs, targets), return_shape=True)(*map(struct_of, specs))
        return closed, isinstance(out, (tuple, list))

    def symbolic(attrs: tuple[Any, ...], specs: list[Any], symbols: Symbols) -> _Shared:
        closed, multi = jaxpr(attrs, specs)
        return _Shared(closed, symbols, multi)

    def trace() -> tuple[Traced, bool]:
        if op.jaxpr is not None:
            return op.jaxpr(*attrs), True
        if op.elementwise and (of_shape := elementwise(op, attrs, targets, specs, lambda: jaxpr(attrs, specs))):
            return Traced(of_shape[0]), of_shape[1]
        found = share((op, "forward", targets), attrs, specs, symbolic, _Shared.restore)
        source: ClosedJaxpr | AtSizes
        if found is None:
            source, multi = jaxpr(attrs, specs)
        else:
            source, multi = found[0].template.at(found[1]), found[0].multi
        return Traced(source), multi

    made: tuple[Traced, bool] = _traced.get((op, attrs, targets, specs), trace)
    return made


def linearised(signature: Signature, mask: tuple[int, ...]) -> Linearised:
    """The forward of an op with the residuals of its VJP.

    Args:
        signature: the op, bound to attributes, shapes and dtypes.
        mask: the operands differentiated.
    """
    return linearise(signature.op, signature.attrs, signature.casts, signature.specs, mask)


def linearise(
    op: Op, attrs: tuple[Any, ...], targets: tuple[Any, ...], specs: tuple[Any, ...], mask: tuple[int, ...]
) -> Linearised:
    """The same before the results' shapes and dtypes are known, with what each operand is cast to first (None: nothing)."""

    def traced(attrs: tuple[Any, ...], specs: Sequence[Any]) -> tuple[ClosedJaxpr, Any, int, bool]:
        call = op.bind(attrs, targets)
        tree: Any = None
        multi = False
        count = 1

        def run(*operands: Any) -> Any:
            nonlocal tree, multi, count

            def of_masked(*some: Any) -> Any:
                full = list(operands)
                for k, x in zip(mask, some, strict=True):
                    full[k] = x
                return call(*full)

            out, pullback = jax.vjp(of_masked, *(operands[k] for k in mask))
            multi = isinstance(out, (tuple, list))
            count = len(out) if multi else 1
            residuals, tree = jax.tree_util.tree_flatten(pullback)
            return (*(out if multi else (out,)), *residuals)

        with _written_out(op):
            return jax.make_jaxpr(run)(*map(struct_of, specs)), tree, count, multi

    def symbolic(attrs: tuple[Any, ...], specs: list[Any], symbols: Symbols) -> SharedForward:
        return SharedForward(*traced(attrs, specs), len(mask), symbols)

    def trace() -> Linearised:
        found = share((op, "linearised", targets, mask), attrs, specs, symbolic, SharedForward.restore)
        if found is not None:
            return Linearised(found[0].template.at(found[1]), found[0])
        forward = Forward(*traced(attrs, specs))
        return Linearised(forward.closed, forward)

    found: Linearised = _traced.get((op, attrs, targets, specs, "linearised", mask), trace)
    return found


def pulled(forward: Linearised, need: tuple[int, ...], absent: tuple[bool, ...]) -> Traced:
    """The VJP of an op: from residuals and cotangents to those of operands.

    Args:
        forward: its linearised forward.
        need: which of the operands differentiated are wanted.
        absent: the results whose cotangent is zero and is not given.
    """
    with _changing:
        found = forward.pulls.get((need, absent))
    if found is None:
        found = forward.forward.pulled_at(forward.source, need, absent)
        with _changing:
            found = forward.pulls.setdefault((need, absent), found)
    return found


def rule_on_values(signature: Signature) -> Traced:
    """An op's rule on its operands' values."""
    op = signature.op

    def jaxpr(attrs: tuple[Any, ...], specs: Sequence[Any]) -> ClosedJaxpr:
        assert op.valid is not None
        with _written_out(op):
            return jax.make_jaxpr(partial(op.valid, **op.named(attrs)))(*map(struct_of, specs))

    def symbolic(attrs: tuple[Any, ...], specs: list[Any], symbols: Symbols) -> _Shared:
        return _Shared(jaxpr(attrs, specs), symbols, False)

    def trace() -> Traced:
        found = share((op, "valid"), signature.attrs, signature.specs, symbolic, _Shared.restore)
        return Traced(jaxpr(signature.attrs, signature.specs) if found is None else found[0].template.at(found[1]))

    made: Traced = _traced.get((op, signature.attrs, signature.specs, "valid"), trace)
    return made


def zero_cotangent(of: Any) -> Any:
    """The zero that JAX wants as cotangent of a result."""
    return jnp.zeros(of.shape, of.dtype) if _is_float(of.dtype) else np.zeros(of.shape, jax.dtypes.float0)


def _is_float(dtype: np.dtype) -> bool:
    return dtype.kind in "fcV"
