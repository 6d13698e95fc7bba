"""Symbolic sizes: what an op is traced with so that one jaxpr serves all sizes, and which sizes it does not serve.

JAX takes two symbolic sizes for different where it cannot tell that they are equal. What was taken for different while an op
was traced is written down here, so that its jaxpr is used only for sizes that are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jax import export

SMALLEST = 2  # sizes 0 and 1 mean something of their own
LARGEST_VALUE = 2**31 - 1  # sizes that take part in computing are int32
_Dimension: Any = type(export.symbolic_shape("n")[0])
_equal = _Dimension.__eq__
_recording = threading.local()


def is_symbolic(x: Any) -> bool:
    """Whether this is a symbolic size."""
    return isinstance(x, _Dimension)


def _equals(self: Any, other: Any) -> Any:
    equal = _equal(self, other)
    if equal is False:
        pairs = getattr(_recording, "pairs", None)
        if pairs is not None and (isinstance(other, _Dimension) or type(other) is int):
            pairs.append((self, other))
    return equal


def _is_not_zero(self: Any) -> bool:
    return bool(self != 0)


_Dimension.__eq__ = _equals
_Dimension.__bool__ = _is_not_zero


class Symbols:
    """Symbolic sizes of one trace, or of traces that belong together.

    Args:
        count: how many there are.
        least: what each of them is at least.

    Attributes:
        sizes: the symbolic sizes.
        unequal: pairs, as text, that have been taken for different.
    """

    def __init__(self, count: int, least: Sequence[int]) -> None:
        self.names = tuple(f"s{k}" for k in range(count))
        bounds = [f"{name} >= {bound}" for name, bound in zip(self.names, least, strict=True)]
        self.sizes: tuple[Any, ...] = tuple(export.symbolic_shape(",".join(self.names), constraints=bounds))
        self.unequal: dict[tuple[str, str], None] = {}

    def trace(self, run: Callable[[], Any]) -> Any:
        """What ``run`` gives, or None where it fails; what it takes for different meanwhile is written down.

        It runs in a thread of its own: JAX keeps exceptions in cycles when it meets symbols, and with them the callers' frames
        and all that these hold.
        """
        found: list[Any] = []
        pairs: list[tuple[Any, Any]] = []

        def work() -> None:
            _recording.pairs = pairs
            try:
                found.append(run())
            except Exception:  # whatever code that expects numbers makes of symbols
                return
            finally:
                del _recording.pairs

        try:
            worker = threading.Thread(target=work, name="megengine traces")
            worker.start()
        except RuntimeError:  # no threads any more
            return None
        worker.join()
        self._note(pairs)
        return found[0] if found else None

    def _note(self, pairs: list[tuple[Any, Any]]) -> None:
        scope = self.sizes[0].scope
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
        terms = [f"{one} != {other}" for one, other in self.unequal]
        terms += [f"{size} >= 0" for size in shapes if size not in self.names]
        terms += [f"{-LARGEST_VALUE} <= {value} <= {LARGEST_VALUE}" for value in values]
        return " and ".join(terms) or "True"


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
        self._evaluate: tuple[int, Callable[..., Any]] | None = None

    def place(self, size: Any) -> int:
        return self.places.setdefault(code(size), len(self.places))

    def shape(self, shape: Sequence[Any]) -> Callable[[Sequence[int]], tuple[int, ...]] | None:
        """From the computed sizes to a shape; None where no symbol is in it."""
        if not any(map(is_symbolic, shape)):
            return None
        self.of_shapes.update(code(n) for n in shape if is_symbolic(n))
        entries = [~self.place(n) if is_symbolic(n) else n for n in shape]
        return lambda sizes: tuple([n if n >= 0 else sizes[~n] for n in entries])

    def evaluate(self, values: Sequence[int]) -> Sequence[int]:
        """All sizes for these values of the symbols."""
        known = self._evaluate
        if known is None or known[0] != len(self.places):
            known = self._evaluate = (
                len(self.places),
                self.symbols.compile(f"({' '.join(p + ',' for p in self.places)})"),
            )
        sizes: Sequence[int] = known[1](*values)
        return sizes
