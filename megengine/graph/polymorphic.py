"""Jaxprs that serve many sizes: signatures of an op that differ in sizes only share one trace, with symbols for those sizes.

An op whose signature is met again with other sizes is traced once more, with symbols for the sizes that differ; all others
stay constants. That serves later signatures whose sizes are consistent with it. What JAX cannot trace so is traced for each
signature, as everything is at first.
"""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from heapq import nsmallest
from itertools import combinations_with_replacement
from math import prod
from operator import ne
from typing import Any, Generic, Protocol, TypeVar

import jax
import numpy as np

from .stored import families as stored
from .stored.families import Kept
from .symbols import SMALLEST, Symbols, compiled, stored_sizes
from .template import Sizes
from .value import Aval

FAMILIES_LIMIT = 4096
SEEN_LIMIT = 32
TEMPLATES_LIMIT = 8
ATTEMPTS_LIMIT = 16
FAILURES_LIMIT = 6  # of an op that was never traced with symbols
CLOSEST = 1  # of the signatures of earlier programs so many are compared with
NEAR = 2

_changing = threading.Lock()
_families: OrderedDict[Any, _Family] = OrderedDict()
_record_of: dict[Any, tuple[int, int]] = {}
_generation = 0
_keeps_all = False


class Serving(Protocol):
    """What was traced with symbols.

    Attributes:
        symbols: these.
    """

    symbols: Symbols

    def store(self) -> Any:
        """It in terms that can be written into a file."""

    def complete(self) -> None:
        """Called when all that belongs to it has been traced."""

    def serves(self, *values: int) -> bool:
        """Whether it holds for these values of the symbols."""


T = TypeVar("T", bound=Serving)
# From attributes, operands and symbols to what serves signatures that differ in the symbols' values.
Trace = Callable[[tuple[Any, ...], list[Any], Symbols], T]
# From what is stored, and its symbols, to the same.
Restore = Callable[[Any, Symbols], T]


class _Shared(Generic[T]):
    """What was traced with symbols, and which signatures it is for.

    Args:
        example: the sizes of a signature that it serves.
        texts: each size of a signature, as text: a constant, a symbol, or what it is of symbols.
        count: how many symbols there are.
    """

    made: T

    def __init__(self, example: Sizes, texts: Sequence[str], count: int) -> None:
        self.example = example
        self.texts = tuple(texts)
        self.symbolic = {k for k, text in enumerate(texts) if "s" in text}
        self._count = count
        self._firsts = [texts.index(f"s{k}") for k in range(count)]
        self._constants = [(k, int(text)) for k, text in enumerate(texts) if "s" not in text]
        self._names = [(k, int(text[1:])) for k, text in enumerate(texts) if text[0] == "s" and text[1:].isdigit()]
        self._is_plain = len(self._constants) + len(self._names) == len(texts)

    @cached_property
    def sizes(self) -> Callable[..., Sizes]:
        """From the symbols' values to all sizes."""
        return compiled([f"s{k}" for k in range(self._count)], f"({' '.join(t + ',' for t in self.texts)})")

    def values(self, sizes: Sizes) -> Sizes | None:
        """The values of the symbols in a signature; None where it is not one of these."""
        for k, constant in self._constants:  # most are told apart by these
            if sizes[k] != constant:
                return None
        values = tuple([sizes[k] for k in self._firsts])
        for k, symbol in self._names:
            if sizes[k] != values[symbol]:
                return None
        if min(values, default=SMALLEST) < SMALLEST:
            return None
        return values if self._is_plain or self.sizes(*values) == sizes else None


class _Stored(_Shared[T]):
    """What the package comes with, read when it is first needed."""

    def __init__(self, kept: Kept, restore: Restore[T]) -> None:
        super().__init__(kept.example, kept.texts, len(kept.values))
        self._kept = kept
        self._restore = restore

    @cached_property
    def made(self) -> T:  # type: ignore[override]
        kept = self._kept
        return self._restore(kept.content, Symbols(kept.values, stored_sizes(len(kept.values))))


class _Family(Generic[T]):
    """The signatures of an op that differ in sizes only."""

    def __init__(self, stored: Sequence[_Shared[T]] = ()) -> None:
        self.seen: OrderedDict[Sizes, int] = OrderedDict()
        self.shared: list[_Shared[T]] = list(stored)
        self.stored = len(stored)
        self.failed: set[Any] = set()
        self.attempts = 0


def keep_all() -> None:
    """Have everything traced in a form that can be stored, with no symbols where there is no more general one."""
    global _keeps_all, CLOSEST, SEEN_LIMIT, TEMPLATES_LIMIT, ATTEMPTS_LIMIT, FAILURES_LIMIT
    _keeps_all = True
    CLOSEST = 8
    SEEN_LIMIT = TEMPLATES_LIMIT = ATTEMPTS_LIMIT = FAILURES_LIMIT = 1 << 30


def store() -> Iterator[tuple[Any, tuple[Any, ...], list[Kept]]]:
    """What was traced with symbols: the op, what else the signatures have in common, and what serves which of them.

    What something more general serves is left out, and what cannot be written into a file.
    """
    for ((op, *key), *common), family in _families.items():
        kept: list[Kept] = []
        served: list[_Shared[Any]] = []
        for shared in family.shared:
            if any((values := s.values(shared.example)) is not None and s.made.serves(*values) for s in served):
                continue
            try:
                content = shared.made.store()
            except (pickle.PicklingError, AttributeError, TypeError):  # it holds a function
                continue
            served.append(shared)
            kept.append(Kept(shared.example, shared.texts, shared.made.symbols.example, content))
        yield op, (*key, *common), kept


def new_program() -> None:
    """Called for each program: signatures of one program are no reason to expect more of their kind."""
    global _generation
    _generation += 1


def share(
    key: tuple[Any, ...], attrs: tuple[Any, ...], specs: tuple[Any, ...], trace: Trace[T], restore: Restore[T]
) -> tuple[T, Sizes] | None:
    """What was or is now traced with symbols and serves a signature, and the values of the symbols; None if nothing does.

    Args:
        key: what is to be traced, beside attributes and operands; first the op.
        attrs: the op's attributes.
        specs: what the operands are, as in :func:`megengine.graph.infer.infer`.
        trace: traces with symbols.
        restore: makes what was traced of what is stored of it.
    """
    found: list[int] = []
    skeleton = _without_ints(attrs, found)
    inner = len(found)
    operands = tuple([_without_sizes(s, found) for s in specs])
    sizes = tuple(found)
    family = _family((key, skeleton, operands), restore)
    with _changing:
        candidates = list(family.shared)
    for shared in candidates:
        values = shared.values(sizes)
        if values is not None and shared.made.serves(*values):
            return shared.made, values
    made = _attempt(family, key[0], sizes, inner, lambda full, symbols: trace(*_filled(attrs, specs, full), symbols))
    with _changing:
        family.seen[sizes] = _generation
        while len(family.seen) > SEEN_LIMIT:
            family.seen.popitem(last=False)
    return made


def _family(of: tuple[Any, ...], restore: Restore[T]) -> _Family[T]:
    with _changing:
        if of in _families:
            _families.move_to_end(of)
            return _families[of]
    (op, *key), *common = of
    made: _Family[T] = _Family([_Stored(kept, restore) for kept in stored.find(op.identity, *key, *common)])
    with _changing:
        family: _Family[T] = _families.setdefault(of, made)
        if len(_families) > FAMILIES_LIMIT:
            _families.popitem(last=False)
    return family


def _without_ints(value: Any, found: list[int]) -> Any:
    """An attribute without its ints, which are added to those found."""
    kind = type(value)
    if kind is int:
        found.append(value)
        return int
    if kind is tuple:
        return tuple([_without_ints(v, found) for v in value])
    if kind is slice:
        return slice, _without_ints((value.start, value.stop, value.step), found)
    return kind, value  # 1, 1.0 and True are equal


def _without_sizes(spec: Any, found: list[int]) -> Any:
    if not isinstance(spec, Aval):
        return spec
    found += spec.shape
    return spec.ndim, spec.dtype, str(spec.dtype.metadata), spec.format


def _filled(attrs: tuple[Any, ...], specs: tuple[Any, ...], sizes: Sequence[Any]) -> tuple[tuple[Any, ...], list[Any]]:
    """Attributes and operands with other sizes, in the order in which they were found."""
    rest = iter(sizes)

    def attribute(value: Any) -> Any:
        if type(value) is int:
            return next(rest)
        if type(value) is tuple:
            return tuple([attribute(v) for v in value])
        if type(value) is slice:
            return slice(*attribute((value.start, value.stop, value.step)))
        return value

    own = attribute(attrs)
    return own, [
        jax.ShapeDtypeStruct(tuple([next(rest) for _ in s.shape]), plain(s.dtype)) if isinstance(s, Aval) else s
        for s in specs
    ]


def plain(dtype: np.dtype) -> np.dtype:
    """A dtype without its quantisation: JAX's caches take those for the same that differ in it."""
    return dtype if dtype.metadata is None else np.dtype(dtype.type)


def _attempt(
    family: _Family[T], op: Any, sizes: Sizes, inner: int, trace: Callable[[Sequence[Any], Symbols], T]
) -> tuple[T, Sizes] | None:
    """Trace with symbols for what differs from an earlier signature, if there is one."""
    traced, failed = _record_of.get(op, (0, 0))
    if not traced and failed >= FAILURES_LIMIT:
        return None
    for example, symbolic in _comparable(family, sizes):
        for texts, count in _ways(example, sizes, symbolic, inner):
            shared: _Shared[T] = _Shared(sizes, texts, count)
            values = shared.values(sizes)
            if values is None:
                continue
            pattern = texts, _magnitudes(values)
            if pattern in family.failed or family.attempts >= ATTEMPTS_LIMIT:
                continue
            family.attempts += 1
            if _serves(family, shared, values, trace):
                _record_of[op] = traced + 1, failed
                return shared.made, values
            family.failed.add(pattern)
            failed += 1
            _record_of[op] = traced, failed
    constant: _Shared[T] = _Shared(sizes, tuple(map(str, sizes)), 0)
    return (constant.made, ()) if _keeps_all and _serves(family, constant, (), trace) else None


def _serves(
    family: _Family[T], shared: _Shared[T], values: Sizes, trace: Callable[[Sequence[Any], Symbols], T]
) -> bool:
    """Trace with symbols that have these values; what comes of it belongs to the family if it holds for them."""
    made = _traced(shared, Symbols(values), trace)
    if made is None or not made.serves(*values):
        return False
    shared.made = made
    with _changing:
        family.shared.insert(0, shared)
        del family.shared[family.stored + TEMPLATES_LIMIT :]
    return True


def _magnitudes(values: Sizes) -> Any:
    """Roughly how large sizes are: what was traced for some need not serve all others."""
    return tuple([n.bit_length() for n in values])


def _traced(shared: _Shared[T], symbols: Symbols, trace: Callable[[Sequence[Any], Symbols], T]) -> T | None:
    made: T | None = symbols.trace(lambda: trace(shared.sizes(*symbols.sizes), symbols))
    if made is not None:
        made.complete()
    return made


def _comparable(family: _Family[T], sizes: Sizes) -> Iterator[tuple[Sizes, set[int]]]:
    """Signatures to compare with, and which of the sizes are to be symbols then."""
    for shared in family.shared[:1]:
        yield from _compared(shared.example, sizes, shared.symbolic)
    with _changing:
        earlier = [old for old, generation in family.seen.items() if generation < _generation]
    for closest in nsmallest(CLOSEST, reversed(earlier), key=lambda old: sum(map(ne, old, sizes))):
        yield from _compared(closest, sizes, set())


def _compared(example: Sizes, sizes: Sizes, symbolic: set[int]) -> Iterator[tuple[Sizes, set[int]]]:
    symbolic = symbolic | {k for k, (old, new) in enumerate(zip(example, sizes, strict=True)) if old != new}
    if symbolic and all(example[k] >= SMALLEST and sizes[k] >= SMALLEST for k in symbolic):
        yield example, symbolic


def _ways(example: Sizes, sizes: Sizes, symbolic: set[int], inner: int) -> Iterator[tuple[tuple[str, ...], int]]:
    """What each size may be as text, and how many symbols are in that.

    Sizes that are equal in both signatures are one symbol; so are products of others, where symbols for each do not do.
    """
    for products in (False, True) if min(symbolic) >= inner else (True,):
        bases: list[tuple[int, int]] = []
        known: dict[tuple[int, int], str] = {}
        pairs = {k: (example[k], sizes[k]) for k in symbolic}
        for pair in sorted(pairs.values(), key=lambda pair: pair[::-1]):
            if pair in known:
                continue
            text = _of_symbols(pair, bases) if products else None
            if text is None:
                text = f"s{len(bases)}"
                bases.append(pair)
            known[pair] = text
        texts = tuple([known[pairs[k]] if k in symbolic else str(n) for k, n in enumerate(sizes)])
        yield texts, len(bases)


def _of_symbols(pair: tuple[int, int], bases: list[tuple[int, int]]) -> str | None:
    """Sizes in two signatures as a multiple of a product of symbols, or as one of those and a constant."""
    for count in (1, 2, 3):
        for chosen in combinations_with_replacement(range(len(bases)), count):
            old, new = (prod(bases[k][side] for k in chosen) for side in (0, 1))
            product = "*".join(f"s{k}" for k in chosen)
            if pair[0] % old == 0 and pair[1] % new == 0 and pair[0] // old == pair[1] // new:
                times = pair[0] // old
                return product if times == 1 else f"{times}*{product}"
            if count == 1 and pair[0] - old == pair[1] - new and abs(pair[0] - old) <= NEAR:
                return f"{product} + {pair[0] - old}"
    return None
