"""Sizes and numbers that depend on the batch: found by comparing what one function records at two batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

from ..package import OnnxError


class Varying:
    """A size ``(factor * batch + offset) / divisor``; whoever would compute a plain number from it is refused."""

    __slots__ = ("factor", "offset", "divisor")

    def __init__(self, factor: int, offset: int = 0, divisor: int = 1) -> None:
        common = gcd(factor, offset, divisor)
        self.factor, self.offset, self.divisor = factor // common, offset // common, divisor // common

    def __mul__(self, other: Any) -> Varying:
        if isinstance(other, Varying):
            raise OnnxError("a size would grow with the square of the batch")
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
        raise OnnxError("it needs a size that depends on the batch as a number: export it with dynamic_batch=False")

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
        OnnxError: they differ by more than a multiple of the batch.
    """
    if type(first) is type(second):
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
    raise OnnxError(f"an attribute is {first!r} at a batch of {sizes[0]} and {second!r} at one of {sizes[1]}")


def line(first: int, second: int, sizes: tuple[int, int]) -> Varying:
    """The line through two points."""
    divisor = sizes[1] - sizes[0]
    found = Varying(second - first, first * sizes[1] - second * sizes[0], divisor)
    if found.offset < 0:
        raise OnnxError(f"a size is {first} at a batch of {sizes[0]} and {second} at one of {sizes[1]}")
    return found


def _number(first: float, second: float, sizes: tuple[int, int]) -> Varying | Reciprocal:
    if first == first // 1 and second == second // 1:
        return line(int(first), int(second), sizes)
    if abs(first * sizes[0] - second * sizes[1]) <= 1e-12 * abs(first * sizes[0]):
        return Reciprocal(first * sizes[0])
    raise OnnxError(f"a number is {first} at a batch of {sizes[0]} and {second} at one of {sizes[1]}")


def product(sizes: Sequence[Size]) -> Size:
    """The product of sizes."""
    found: Any = 1
    for size in sizes:
        found = size * found
    return found
