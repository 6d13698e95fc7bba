"""What an op is applied to and what it gives: one object for all calls of an op with the same attributes, shapes and dtypes."""

from __future__ import annotations

from typing import Any

from ..ops.op import Op
from .value import Aval


class Signature:
    """An op, bound to attributes and to the abstract values of its operands.

    Attributes:
        op: the operator.
        attrs: values of its static attributes, in the order in which it declares them.
        specs: of each operand its abstract value, or ``"f"``, ``"i"``, ``"b"`` for a Python number.
        casts: the dtype that each operand is cast to first, or None.
        avals: the abstract value of each result.
        multi: whether the op returns a tuple.
        differentiable: the operands that gradients flow to.
        attributes: the static attributes by name.
        integers: the operands that are tensors of integers, whose values rules ask about.
        traced: its jaxpr, from when a program first needs it.
    """

    __slots__ = (
        "op", "attrs", "specs", "casts", "avals", "multi", "differentiable", "attributes", "integers", "traced",
    )  # fmt: skip

    def __init__(
        self,
        op: Op,
        attrs: tuple[Any, ...],
        specs: tuple[Any, ...],
        casts: tuple[Any, ...],
        avals: tuple[Aval, ...],
        multi: bool,
    ) -> None:
        self.op = op
        self.attrs = attrs
        self.specs = specs
        self.casts = casts
        self.avals = avals
        self.multi = multi
        self.traced: Any = None
        self.attributes: dict[str, Any] = op.named(attrs)
        self.integers = tuple([k for k, s in enumerate(specs) if isinstance(s, Aval) and s.dtype.kind in "iu"])
        self.differentiable = differentiable(op, specs) if any(a.is_float for a in avals) else ()

    def __repr__(self) -> str:
        return f"{self.op.name}({', '.join(map(str, self.specs))}) -> {', '.join(map(repr, self.avals))}"


def differentiable(op: Op, specs: tuple[Any, ...]) -> tuple[int, ...]:
    """The operands of an op that gradients flow to, if a result is of floats."""
    flags = op.differentiable if isinstance(op.differentiable, tuple) else (op.differentiable,) * len(specs)
    return tuple(
        k for k, (s, flag) in enumerate(zip(specs, flags, strict=False)) if flag and isinstance(s, Aval) and s.is_float
    )
