"""Symbolic sizes: what an op is traced with so that one jaxpr serves all sizes, and which sizes it does not serve.

JAX takes two symbolic sizes for different where it cannot tell that they are equal, and refuses to say which is larger where
that depends. Here the latter is answered by an example, and both are written down, so that a jaxpr is used only for sizes for
which the same answers hold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

import jax
from jax import export

T = TypeVar("T")
SMALLEST = 2  # sizes 0 and 1 mean something of their own
ALWAYS = "True"  # a condition that holds
LARGEST_VALUE = 2**31 - 1  # sizes that take part in computing are int32
_Dimension: Any = type(export.symbolic_shape("n")[0])
_equal = _Dimension.__eq__
_recording = threading.local()


def apart(run: Callable[[], T]) -> T:
    """What ``run`` gives, in a thread of its own, or in this one where there are no threads any more.

    JAX keeps exceptions in cycles when it meets symbols, and with them the callers' frames and all that these hold.
    """
    found: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(run())
        except BaseException as error:
            failed.append(error)

    worker = threading.Thread(target=work, name="megengine traces")
    try:
        worker.start()
    except RuntimeError:
        return run()
    worker.join()
    if failed:
        raise failed[0]
    return found[0]


def is_symbolic(x: Any) -> bool:
    """Whether this is a symbolic size."""
    return isinstance(x, _Dimension)


def _equals(self: Any, other: Any) -> Any:
    equal = _equal(self, other)
    if equal is False:
        pairs = getattr(_recording, "pairs", None)
        if pairs is not None and (isinstance(other, _Dimension) or type(other) is int):
            if type(other) is int and (text := str(self)).startswith("mod("):
                return _recording.symbols.answer(f"{text} == {other}")  # is it even?
            pairs.append((self, other))
    return equal


def _is_not_zero(self: Any) -> bool:
    return bool(self != 0) if hasattr(_recording, "symbols") else True


def _ordered(sign: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def answer(self: Any, other: Any) -> bool:
        try:
            return compare(self, other)
        except jax.errors.InconclusiveDimensionOperation:
            symbols = getattr(_recording, "symbols", None)
            if symbols is None:
                raise
            return bool(symbols.answer(f"{code(self)} {sign} {code(other)}"))

    return answer


_Dimension.__eq__ = _equals
_Dimension.__bool__ = _is_not_zero
_Dimension.__ge__ = _ordered(">=", _Dimension.__ge__)
_Dimension.__le__ = _ordered("<=", _Dimension.__le__)
_Dimension.__gt__ = _ordered(">", _Dimension.__gt__)
_Dimension.__lt__ = _ordered("<", _Dimension.__lt__)


class Symbols:
    """Symbolic sizes of one trace, or of traces that belong together.

    Args:
        example: the value of each in the signature that is being traced.
        sizes: the symbolic sizes, if they are there already.

    Attributes:
        sizes: the symbolic sizes.
        unequal: pairs, as text, that have been taken for different.
        answers: comparisons, as text, and whether they were taken to hold.
    """

    def __init__(self, example: Sequence[int], sizes: tuple[Any, ...] | None = None) -> None:
        self.example = tuple(example)
        self.names = tuple(f"s{k}" for k in range(len(self.example)))
        self.sizes: tuple[Any, ...] = self._made() if sizes is None else sizes
        self.unequal: dict[tuple[str, str], None] = {}
        self.answers: dict[str, bool] = {}

    def _made(self) -> tuple[Any, ...]:
        bounds = [f"{name} >= {SMALLEST}" for name in self.names]
        return tuple(export.symbolic_shape(",".join(self.names), constraints=bounds)) if bounds else ()

    def answer(self, comparison: str) -> bool:
        """Whether a comparison holds for the example."""
        if comparison not in self.answers:
            self.answers[comparison] = bool(self.compile(comparison)(*self.example))
        return self.answers[comparison]

    def trace(self, run: Callable[[], Any]) -> Any:
        """What ``run`` gives, or None where it fails; what it takes for different meanwhile is written down."""
        pairs: list[tuple[Any, Any]] = []

        def work() -> Any:
            _recording.pairs, _recording.symbols = pairs, self
            try:
                return run()
            except Exception:  # whatever code that expects numbers makes of symbols
                return None
            finally:
                del _recording.pairs, _recording.symbols

        found = apart(work)
        self._note(pairs)
        return found

    def _note(self, pairs: list[tuple[Any, Any]]) -> None:
        scope = self.sizes[0].scope if self.sizes else None
        for one, other in pairs:
            if one.scope is scope and (not isinstance(other, _Dimension) or other.scope is scope):
                self.unequal[code(one), code(other)] = None

    def compile(self, expression: str) -> Callable[..., Any]:
        """A function of the sizes, in order, from text."""
        return compiled(self.names, expression)

    def served(self, shapes: Iterable[str], values: Iterable[str]) -> str:
        """The condition on sizes under which what was traced so far holds.

        Args:
            shapes: sizes that occur in shapes.
            values: sizes that are computed with.
        """
        terms = [f"{one} != {other}" for one, other in self.unequal if not self._always_unequal(one, other)]
        terms += [text if holds else f"not ({text})" for text, holds in self.answers.items()]
        terms += [f"{size} >= 0" for size in shapes if size not in self.names]
        terms += [f"{-LARGEST_VALUE} <= {value} <= {LARGEST_VALUE}" for value in values]
        return " and ".join(terms) or ALWAYS

    def _always_unequal(self, one: str, other: str) -> bool:
        return one in self.names and other.lstrip("-").isdigit() and int(other) < SMALLEST


@cache
def stored_sizes(count: int) -> tuple[Any, ...]:
    """Symbolic sizes for what was traced before and is only read: they are the same for all of it."""
    return apart(lambda: Symbols((SMALLEST,) * count).sizes)


def code(size: Any) -> str:
    """A size as text that Python evaluates."""
    return f"({str(size).replace('^', '**')})" if isinstance(size, _Dimension) and not _is_name(size) else str(size)


def _is_name(size: Any) -> bool:
    return str(size).isidentifier()


_FUNCTIONS = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min, "__builtins__": {}}


def compiled(names: Sequence[str], expression: str) -> Callable[..., Any]:
    """A function from text, of these arguments."""
    function: Callable[..., Any] = eval(f"lambda {', '.join(names)}: {expression}", dict(_FUNCTIONS))
    return function


class Table:
    """The different symbolic sizes in a jaxpr, each computed once for given values of the symbols."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.places: dict[str, int] = {name: k for k, name in enumerate(symbols.names)}
        self.of_shapes: set[str] = set()
        self.of_values: set[str] = set()
        self._codes: dict[int, tuple[Any, str]] = {}
        self._evaluate: tuple[int, Callable[..., Any]] | None = None

    def code(self, size: Any) -> str:
        """As :func:`code` gives it, which takes its time."""
        known = self._codes.get(id(size))
        if known is None:
            known = self._codes[id(size)] = size, code(size)
        return known[1]

    def place(self, size: Any) -> int:
        return self.places.setdefault(self.code(size), len(self.places))

    def shape(self, shape: Sequence[Any]) -> Callable[[Sequence[int]], tuple[int, ...]] | None:
        """From the computed sizes to a shape; None where no symbol is in it."""
        if not any(map(is_symbolic, shape)):
            return None
        self.of_shapes.update(self.code(n) for n in shape if is_symbolic(n))
        entries = [~self.place(n) if is_symbolic(n) else n for n in shape]
        return lambda sizes: tuple([n if n >= 0 else sizes[~n] for n in entries])

    def evaluate(self, values: Sequence[int]) -> Sequence[int]:
        """All sizes for these values of the symbols."""
        if len(self.places) == len(values):
            return values
        known = self._evaluate
        if known is None or known[0] != len(self.places):
            known = self._evaluate = (
                len(self.places),
                self.symbols.compile(f"({' '.join(p + ',' for p in self.places)})"),
            )
        sizes: Sequence[int] = known[1](*values)
        return sizes
