"""Sizes and numbers that depend on the batch: found by comparing what one function records at two batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd
from typing import Any

import numpy as np

from ..ir import Equation, Function, Scalar, Var
from .model import GraphFileError, Model


class Varying:
    """A size ``(factor * batch + offset) / divisor``; whoever would compute a plain number from it is refused."""

    __slots__ = ("factor", "offset", "divisor")

    def __init__(self, factor: int, offset: int = 0, divisor: int = 1) -> None:
        common = gcd(factor, offset, divisor)
        self.factor, self.offset, self.divisor = factor // common, offset // common, divisor // common

    def __mul__(self, other: Any) -> Varying:
        if isinstance(other, Varying):
            raise GraphFileError("a size would grow with the square of the batch")
        return Varying(self.factor * other, self.offset * other, self.divisor)

    __rmul__ = __mul__

    def __add__(self, other: int) -> Varying:
        return Varying(self.factor, self.offset + other * self.divisor, self.divisor)

    __radd__ = __add__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Varying) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[int, int, int]:
        return self.factor, self.offset, self.divisor

    def __index__(self) -> int:
        raise GraphFileError(
            "it needs a size that depends on the batch as a number: export it with dynamic_batch=False"
        )

    __int__ = __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __sub__ = __rsub__ = __floordiv__ = __index__  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"({self.factor} * batch + {self.offset}) / {self.divisor}"


Size = int | Varying


class Reciprocal:
    """A number ``scale / batch``."""

    __slots__ = ("scale",)

    def __init__(self, scale: float) -> None:
        self.scale = scale


def merged(first: Any, second: Any, sizes: tuple[int, int]) -> Any:
    """What an attribute is at any batch size, from its values at two.

    Raises:
        GraphFileError: they differ by more than a multiple of the batch.
    """
    if type(first) is type(second):
        if isinstance(first, tuple) and first == second:
            return first
        if isinstance(first, tuple) and len(first) == len(second):
            return tuple(merged(a, b, sizes) for a, b in zip(first, second, strict=True))
        if isinstance(first, slice):
            return slice(*(merged(getattr(first, k), getattr(second, k), sizes) for k in ("start", "stop", "step")))
        if first == second:
            return first
        if type(first) is int:
            return line(first, second, sizes)
        if isinstance(first, float):
            return _number(first, second, sizes)
    elif first == second:
        return first
    raise GraphFileError(f"an attribute is {first!r} at a batch of {sizes[0]} and {second!r} at one of {sizes[1]}")


def line(first: int, second: int, sizes: tuple[int, int]) -> Varying:
    """The line through two points."""
    divisor = sizes[1] - sizes[0]
    found = Varying(second - first, first * sizes[1] - second * sizes[0], divisor)
    if found.offset < 0:
        raise GraphFileError(f"a size is {first} at a batch of {sizes[0]} and {second} at one of {sizes[1]}")
    return found


def _number(first: float, second: float, sizes: tuple[int, int]) -> Varying | Reciprocal:
    if first == first // 1 and second == second // 1:
        return line(int(first), int(second), sizes)
    if abs(first * sizes[0] - second * sizes[1]) <= 1e-12 * abs(first * sizes[0]):
        return Reciprocal(first * sizes[0])
    raise GraphFileError(f"a number is {first} at a batch of {sizes[0]} and {second} at one of {sizes[1]}")


def product(sizes: Sequence[Size]) -> Size:
    """The product of sizes."""
    found: Any = 1
    for size in sizes:
        found = size * found
    return found


class Batched:
    """A graph and the same one with inputs of another batch size: what of it depends on the batch.

    Args:
        first, second: the two; None for a second one if nothing does.
        prepare: what both functions go through.

    Raises:
        GraphFileError: they compute other things.
    """

    def __init__(
        self, first: Model, second: Model | None, prepare: Callable[[Function], Function] = lambda f: f
    ) -> None:
        self.first, self.second = first, second
        self.function = prepare(first.function)
        self.sizes = 0, 0
        self._twins: dict[Any, Any] = {}
        if second is not None:
            self._other = prepare(second.function)
            self.sizes = _batches(self.function, self._other)
            self._twins = _twins(self.function, self._other)

    def shape(self, var: Var) -> tuple[Size, ...]:
        """The shape of a variable."""
        twin = self._twins.get(var)
        return var.aval.shape if twin is None else merged(var.aval.shape, twin.aval.shape, self.sizes)  # type: ignore[no-any-return]

    def attributes(self, equation: Equation) -> dict[str, Any]:
        """The attributes of an equation."""
        twin = self._twins.get(equation)
        if twin is None:
            return equation.attributes
        return {k: merged(v, twin.attributes[k], self.sizes) for k, v in equation.attributes.items()}

    def number(self, scalar: Scalar) -> Any:
        """A Python number."""
        found = _number_of(self.first, scalar)
        return found if self.second is None else merged(found, _number_of(self.second, scalar), self.sizes)

    def constant(self, var: Var) -> np.ndarray:
        """The numbers of a constant.

        Raises:
            GraphFileError: they depend on the batch.
        """
        array = np.asarray(self.function.constants[var])
        twin = self._twins.get(var)
        if twin is not None and array.dtype != np.uint32:  # the state of a generator moves
            same = np.asarray(self._other.constants[twin])
            if same.shape != array.shape or not np.array_equal(same, array, equal_nan=array.dtype.kind == "f"):
                raise GraphFileError(
                    f"the constant {var.name or var!r} depends on the batch: export it with dynamic_batch=False"
                )
        return array


def _number_of(model: Model, scalar: Scalar) -> Any:
    if scalar.kind == "f":
        return float(model.floats[scalar.number])
    return bool(model.ints[scalar.number]) if scalar.kind == "b" else int(model.ints[scalar.number])


def _batches(first: Function, second: Function | None) -> tuple[int, int]:
    """The batch sizes of two functions."""
    if second is None:
        return 0, 0
    for a, b in zip(first.inputs, second.inputs, strict=True):
        if a.aval.shape != b.aval.shape:
            return a.aval.shape[0], b.aval.shape[0]
    raise GraphFileError("no input has the batch as its first dimension")


def _twins(first: Function, second: Function) -> dict[Any, Any]:
    """What in the second function stands for what in the first.

    Raises:
        GraphFileError: they compute other things.
    """
    found: dict[Any, Any] = dict(zip(first.inputs, second.inputs, strict=True))
    if len(first.equations) != len(second.equations):
        raise GraphFileError("with another batch size it computes other ops: export it with dynamic_batch=False")
    for a, b in zip(first.equations, second.equations, strict=True):
        if a.name != b.name or len(a.inputs) != len(b.inputs):  # type: ignore[union-attr]
            raise GraphFileError(f"with another batch size it computes {b.name} instead of {a.name}{at(a)}")
        found[a] = b
        found.update((x, y) for x, y in zip(a.outputs, b.outputs, strict=True))
        found.update((x, y) for x, y in zip(a.inputs, b.inputs, strict=True) if isinstance(x, Var))  # type: ignore[union-attr]
    return found


def at(equation: Any) -> str:
    """Where an equation was recorded, for messages."""
    return f" ({equation.source})" if equation.source else ""
