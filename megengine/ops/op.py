"""The record that declares one operator, and the decorator that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import itemgetter
from typing import Any

import jax

from .conversion import convert
from .formats import FormatRule, kept
from .ranges import RangeRule

PromotionRule = Callable[[str, Sequence[Any]], Sequence[Any]]
AutocastRule = Callable[[Sequence[Any], Any, Any], Sequence[Any]]


@dataclass(eq=False, slots=True)
class Op:
    """One operator: a name, a pure function on JAX arrays, and only the rules that differ from the defaults.

    Attributes:
        name: what messages, counters and pictures call it.
        lower: the pure function, ``lower(*arrays, **attrs)``; it returns one array or a tuple of them.
        attrs: names of the static (keyword-only) arguments of ``lower``; their values are part of the graph's structure.
        promote: rule that gives the dtype each operand is cast to before ``lower``; None leaves tensors as they are.
        differentiable: False where the reference gives no gradient at all, or one flag an operand.
        check: optional ``check(*operands, **attrs)`` on shapes and dtypes that raises a clear error while recording.
        valid: optional ``valid(*arrays, **attrs)``, whether the operands' values are ones the op takes; evaluated in the graph,
            and raised with the op's line, as ``invalid`` says, when the host next reads a value.
        on_host: for an op of one operand, ``on_host(ndarray, *attrs)``: the same result for data that have not left the host
            yet, or None where it would not be the same.
        jaxpr: for an op of several results whose jaxpr is there already ``jaxpr(*attrs)``, which gives it.
        elementwise: whether each element of the results depends on those at its place and on numbers alone, and the op is
            applied to many shapes: one trace serves all.
        quantized: for an op that takes or gives quantised tensors ``quantized(name, dtypes, **attrs)``, the results' dtype from
            those of the operands, or None where it is what ``lower`` gives.
        formats: which results have the label of a memory format (see :mod:`megengine.ops.formats`).
        autocast: what mixed precision makes of the dtypes that ``promote`` gives (see :mod:`megengine.ops.autocast`).
        ints: what becomes of a Python int that the integers it meets do not hold (see :mod:`megengine.ops.ranges`); without a
            rule it is refused.
        strict: whether that holds for integers of 8 and 16 bits too; otherwise an int of 32 bits wraps beside them, as it does in
            the reference.
        replaces: the operands whose place the results take, in order: of an optimizer's step the parameter and the state.
        once: whether it is to be computed once and no more, since others take part.
        defaults: what attributes are that a call leaves out.
        identity: a name of what ``lower`` and ``valid`` compute that means the same in every process; empty if there is none.
    """

    name: str
    lower: Callable[..., Any]
    attrs: tuple[str, ...] = ()
    promote: PromotionRule | None = None
    differentiable: bool | tuple[bool, ...] = True
    check: Callable[..., None] | None = None
    valid: Callable[..., Any] | None = None
    invalid: str = ""
    on_host: Callable[..., Any] | None = None
    quantized: Callable[..., Any] | None = None
    formats: FormatRule = kept
    autocast: AutocastRule | None = None
    ints: RangeRule | None = None
    strict: bool = False
    elementwise: bool = False
    jaxpr: Callable[..., Any] | None = None
    replaces: tuple[int, ...] = ()
    once: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.pick = picker(self.attrs)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def variant(self, **changes: Any) -> Op:
        """An op like this one but for the fields given."""
        same = changes.keys().isdisjoint(("lower", "attrs", "valid"))
        return replace(self, identity=self.identity if same else "", **changes)

    def in_order(self, named: Mapping[str, Any]) -> tuple[Any, ...]:
        """Attributes given by name, in the order of ``attrs``, with the defaults of those left out.

        Raises:
            TypeError: an attribute that the op does not have, or one without a default is left out.
        """
        given = {**self.defaults, **named}
        missing = [n for n in self.attrs if n not in given]
        for name in given:
            if name not in self.attrs:
                has = f"attributes {', '.join(self.attrs)}" if self.attrs else "no attributes"
                raise TypeError(f"{self.name} has no attribute {name!r}; it has {has}") from None
        if missing:
            raise TypeError(f"{self.name}: attribute {missing[0]!r} is missing") from None
        return tuple(given[n] for n in self.attrs)

    def named(self, attrs: tuple[Any, ...]) -> dict[str, Any]:
        """Attributes in the order of ``attrs``, by name."""
        return dict(zip(self.attrs, attrs, strict=True))

    def bind(self, attrs: tuple[Any, ...], targets: Sequence[Any]) -> Callable[..., Any]:
        """The function of arrays alone that this op is with these attributes and operand dtypes."""
        lower = partial(self.lower, **self.named(attrs)) if attrs else self.lower
        if all(t is None for t in targets):
            return lower

        def cast_then_lower(*arrays: Any) -> Any:
            return lower(*(a if t is None else convert(a, t) for a, t in zip(arrays, targets, strict=True)))

        return cast_then_lower


# Programs are found again on the disk by the names of ops; of these the sources are known, and part of the search.
_OURS = __name__.partition(".")[0] + ".ops."


def op(
    name: str | None = None, *, grad: Callable[..., Any] | None = None, **rules: Any
) -> Callable[[Callable[..., Any]], Op]:
    """Declare the decorated pure function as an operator; its keyword-only arguments are the op's attributes.

    Args:
        name: the op's name; default the function's.
        grad: own gradient ``grad(operands, outputs, cotangent, **attrs) -> tuple``; default JAX's vector-Jacobian product.
        rules: the fields of :class:`Op` whose defaults do not serve.
    """

    def declare(fn: Callable[..., Any]) -> Op:
        code = fn.__code__
        own = name or fn.__name__.strip("_")
        return Op(
            own,
            fn if grad is None else _with_gradient(fn, grad),
            code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount],
            defaults=fn.__kwdefaults__ or {},
            identity=_identity(fn, own) if str(fn.__module__).startswith(_OURS) else "",
            **rules,
        )

    return declare


_identities: set[str] = set()


def _identity(fn: Callable[..., Any], name: str) -> str:
    """A name for an op of this package, which no other op has: what is kept on the disk is found by it.

    Raises:
        ValueError: another op of the module is declared by a function of the same name, under the same name.
    """
    identity = f"{fn.__module__}.{fn.__qualname__} {name}"
    if identity in _identities:
        raise ValueError(f"two operators are declared as {identity}: give one of them another name")
    _identities.add(identity)
    return identity


def picker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """The function that takes the values of these names, in this order, out of a mapping."""
    if len(names) > 1:
        return itemgetter(*names)
    if names:
        name = names[0]
        return lambda named: (named[name],)
    return lambda named: ()


def _with_gradient(fn: Callable[..., Any], grad: Callable[..., Any]) -> Callable[..., Any]:
    def lower(*arrays: Any, **attrs: Any) -> Any:
        def forward(*xs: Any) -> Any:
            out = fn(*xs, **attrs)
            return out, (xs, out)

        call = jax.custom_vjp(partial(fn, **attrs))
        call.defvjp(forward, lambda res, ct: tuple(grad(res[0], res[1], ct, **attrs)))
        return call(*arrays)

    return lower
