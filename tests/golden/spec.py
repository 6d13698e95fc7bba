"""How a golden case is written down: inputs, expressions and the marks on expressions.

Imported by Python 3.10 with NumPy 1.23 (the recorder) and by today's Python with NumPy 2 (the tests), so that only
frozen parts of NumPy (``RandomState``) may decide about values.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "Array",
    "Case",
    "Wrong",
    "Refused",
    "case",
    "nonsense",
    "f32",
    "f16",
    "i32",
    "i16",
    "i8",
    "u8",
    "u16",
    "bools",
    "given",
    "array",
    "parameter",
]


@dataclass(frozen=True)
class Array:
    """An input: drawn uniformly from ``[low, high)`` by the case's and the input's name, or given as ``values``.

    Floating values are multiples of 1/128, so that float16 holds them exactly. ``kind`` says what the expression
    sees: a ``tensor``, a ``parameter`` or a NumPy ``array``.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    low: float = -2
    high: float = 2
    values: Any = None
    kind: str = "tensor"

    def build(self, key: str) -> np.ndarray:
        """Return the input's values; ``key`` seeds the draw."""
        if self.values is not None:
            return np.array(self.values, dtype=self.dtype)
        draw = np.random.RandomState(zlib.crc32(key.encode())).uniform(self.low, self.high, self.shape)
        if self.dtype == "bool":
            return np.asarray(draw > (self.low + self.high) / 2)
        if self.dtype.startswith("float"):
            return np.asarray(np.floor(draw * 128) / 128).astype(self.dtype)
        return np.asarray(np.floor(draw)).astype(self.dtype)


def f32(*shape: int, low: float = -2, high: float = 2) -> Array:
    """A float32 tensor."""
    return Array("float32", shape, low, high)


def f16(*shape: int, low: float = -2, high: float = 2) -> Array:
    """A float16 tensor."""
    return Array("float16", shape, low, high)


def i32(*shape: int, low: int = -9, high: int = 10) -> Array:
    """An int32 tensor."""
    return Array("int32", shape, low, high)


def i16(*shape: int, low: int = -9, high: int = 10) -> Array:
    """An int16 tensor."""
    return Array("int16", shape, low, high)


def i8(*shape: int, low: int = -9, high: int = 10) -> Array:
    """An int8 tensor."""
    return Array("int8", shape, low, high)


def u8(*shape: int, low: int = 0, high: int = 10) -> Array:
    """A uint8 tensor."""
    return Array("uint8", shape, low, high)


def u16(*shape: int, low: int = 0, high: int = 10) -> Array:
    """A uint16 tensor."""
    return Array("uint16", shape, low, high)


def bools(*shape: int) -> Array:
    """A bool tensor."""
    return Array("bool", shape, 0, 1)


def given(values: Any, dtype: str = "float32") -> Array:
    """A tensor with these values."""
    return Array(dtype, values=values)


def array(spec: Array) -> Array:
    """The same input as a NumPy array."""
    return Array(spec.dtype, spec.shape, spec.low, spec.high, spec.values, "array")


def parameter(spec: Array) -> Array:
    """The same input as a Parameter."""
    return Array(spec.dtype, spec.shape, spec.low, spec.high, spec.values, "parameter")


@dataclass(frozen=True)
class Wrong:
    """An expression that the reference gets plainly wrong: ours is checked against what is right.

    ``right`` is a NumPy expression over the inputs' arrays (``None``: no value to check), ``raises`` the names of the
    exceptions that are right, ``grads`` NumPy expressions for the gradients, by input (missing: not checked).
    """

    expr: str
    why: str
    right: str | None = None
    raises: tuple[str, ...] = ()
    grads: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """An expression that the reference refuses although it could work: the same refusal or the right answer pass."""

    expr: str
    right: str
    why: str = "the reference refuses what could work"


def nonsense(*exprs: str) -> list[Wrong]:
    """Expressions that the reference lets pass although they mean nothing."""
    return [
        Wrong(e, "means nothing and is let pass", raises=("TypeError", "ValueError", "RuntimeError", "IndexError"))
        for e in exprs
    ]


@dataclass(frozen=True)
class Case:
    """Expressions asked of the same inputs, each with inputs built anew."""

    name: str
    exprs: tuple[str | Wrong | Refused, ...]
    inputs: dict[str, Array]
    grad: bool = False
    rtol: float | None = None
    atol: float | None = None

    def build(self, specs: dict[str, Array]) -> dict[str, np.ndarray]:
        """Return the arrays of these inputs."""
        return {name: spec.build("%s/%s" % (self.name, name)) for name, spec in specs.items()}


def text(expr: str | Wrong | Refused) -> str:
    """The source of an expression."""
    return expr if isinstance(expr, str) else expr.expr


def case(
    name: str,
    exprs: Any,
    *,
    grad: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    **inputs: Array,
) -> Case:
    """Write a case: ``case("exp", ["F.exp(x)"], x=f32(2, 3), grad=True)``."""
    if isinstance(exprs, (str, Wrong, Refused)):
        exprs = [exprs]
    sources = [text(e) for e in exprs]
    repeated = {s for s in sources if sources.count(s) > 1}
    if repeated:
        raise ValueError("case %s repeats %s" % (name, sorted(repeated)))
    return Case(name, tuple(exprs), inputs, grad, rtol, atol)
