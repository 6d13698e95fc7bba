"""What differs where a place needs another program: for messages and counters, and to keep what stays the same apart."""

from __future__ import annotations

import logging
from types import CodeType
from typing import Any

from . import record
from .build import build
from .errors import RecompileError
from .ir import AnyEquation, Equation, Function, Var, VjpEquation
from .options import options
from .program import Key, lookup
from .record import Graph
from .recording import Recording
from .tiers import tier_of
from .trie import Node
from .where import Line, Where, line, text

log = logging.getLogger("megengine.graph")


class _Place:
    """The programs of graphs that begin at one line and end at one line.

    Attributes:
        node, key, recording: the last one.
        reason: the kind of what differed last.
        programs: how many.
        restless: how often in a row new shapes came before the last program had paid off by being run again.
        unpaid: the same of any difference.
    """

    __slots__ = ("node", "key", "recording", "reason", "programs", "restless", "unpaid")

    def __init__(self) -> None:
        self.node: Node | None = None
        self.key = Key(())
        self.recording = Recording((), ())
        self.reason = "new"
        self.programs = 0
        self.restless = 0
        self.unpaid = 0


Spot = Line | tuple[str, int, CodeType]
_places: dict[tuple[Spot, Spot], _Place] = {}
_splits: dict[Spot, int] = {}
PLACES_LIMIT = 4096
PAYS_OFF = 5
SPLITS_AFTER = 3
WORTH_A_CUT = 8
# A smaller last batch, and evaluation with one of its own, are three; what comes again pays off in later epochs.
TOLD_AFTER = 4
_ADVICE = {
    "shape": "pad or bucket its inputs to a few sizes",
    "dtype": "give its inputs one dtype",
    "op": "what changes from call to call is best given as tensors, or made by the same calls each time",
}


def note_program(graph: Graph, node: Node, key: Key, recording: Recording) -> str:
    """Say what differs from the last program at the same place; returns the reason that its compilation counts by.

    Raises:
        RecompileError: this place had a program before and the option ``on_recompile`` is ``"error"``.
    """
    if len(_places) > PLACES_LIMIT:
        _places.clear()
    begin = _spot(graph.where[0])
    place = _places.setdefault((begin, _spot(graph.where[-1])), _Place())
    place.programs += 1
    compiled = tier_of(graph.device) == "compiled"
    if place.node is not None and (compiled or options.on_recompile == "error" or place.restless <= SPLITS_AFTER):
        place.reason, _ = difference(build(place.node), place.key, build(node), key)
        _count(place, begin, node)
        if options.on_recompile == "error":
            start, detail = text(graph.where[0]), _in_words(place, node, key, recording)
            graph.error = RecompileError(
                f"compiling again ({_ordinal(place.programs)} time) what starts at {start}, since {detail}"
            )
            raise graph.error
        if compiled and options.on_recompile == "log" and place.unpaid == TOLD_AFTER:
            _warn(place, text(graph.where[0]), _in_words(place, node, key, recording))
    place.node, place.key, place.recording = node, key, recording
    return place.reason


def _in_words(place: _Place, node: Node, key: Key, recording: Recording) -> str:
    """What differs, with the names of parameters, which are looked for only when someone is told."""
    assert place.node is not None
    return difference(place.recording.function(place.node), place.key, recording.function(node), key)[1]


def _count(place: _Place, begin: Spot, node: Node) -> None:
    assert place.node is not None
    last = lookup(place.node, place.key)
    if last is not None and last.hits >= PAYS_OFF:
        place.restless = place.unpaid = 0
        return
    place.unpaid += 1
    if place.reason == "shape":
        place.restless += 1
        if place.restless == SPLITS_AFTER:
            _split(begin, place.node, node)


def _warn(place: _Place, start: str, detail: str) -> None:
    log.warning(
        "what starts at %s was compiled %d times in a row without being used much: this time, %s; %s",
        start,
        TOLD_AFTER + 1,
        detail,
        _ADVICE.get(place.reason, "keep the same results from call to call"),
    )


def _spot(where: Where) -> Spot:
    """A line of a file, and its code if that was typed at a prompt or executed from a string: every statement is line 1 there."""
    filename, number = line(where)
    return (filename, number, where[0]) if filename.startswith("<") else (filename, number)


def forget_places() -> None:
    """Start anew: no place has had a program yet."""
    _places.clear()
    _splits.clear()
    record.some_place_is_special = False


def split(where: Where) -> int | None:
    """After how many ops graphs that begin here are cut, so that those behind are not compiled for each new shape before them."""
    return _splits.get(_spot(where))


def _split(begin: Spot, old: Node, new: Node) -> None:
    depth = _settled_from(old, new)
    if 0 < depth <= new.depth - WORTH_A_CUT:
        record.some_place_is_special = True
        _splits[begin] = max(depth, _splits.get(begin, 0))


def _settled_from(old: Node, new: Node) -> int:
    """How many ops come before those that are the same in both, to the end."""
    depth = new.depth
    if old.depth == depth:
        for a, b in zip(reversed(_signatures(build(old))), reversed(_signatures(build(new))), strict=True):
            if a != b:
                break
            depth -= 1
    return depth


def _signatures(function: Function) -> list[tuple[Any, ...]]:
    """Of each equation what has to be the same for its program to be: op, attributes, and all shapes and dtypes."""
    found: list[tuple[Any, ...]] = []
    for equation in function.equations:
        takes = tuple(v.aval for v in equation.reads())
        if isinstance(equation, VjpEquation):
            own: tuple[Any, ...] = (found[equation.of.number or 0], equation.linearised, equation.wrt)
        else:
            own = (equation.op, equation.signature.attrs)
        found.append((*own, _wiring(equation), takes, tuple(v.aval for v in equation.outputs)))
    return found


def difference(old: Function, old_key: Key, new: Function, new_key: Key) -> tuple[str, str]:
    """The kind (shape, dtype, format, op, liveness, donation) and the words for what differs between two programs."""
    for number, (a, b) in enumerate(zip(old.equations, new.equations, strict=False)):
        name = f"op {number} ({_name(b)})"
        if _name(a) != _name(b):
            return "op", f"op {number} is {_name(b)}, was {_name(a)}"
        for x, y in zip((*a.reads(), *a.outputs), (*b.reads(), *b.outputs), strict=False):
            of = f" of {y.name}" if y.name else ""
            for what in ("shape", "dtype", "format"):
                was, is_ = getattr(x.aval, what), getattr(y.aval, what)
                if was != is_:
                    return what, f"{name} meets {what} {is_}{of}, was {was}"
        if isinstance(a, Equation) and isinstance(b, Equation) and a.signature.attrs != b.signature.attrs:
            return "op", f"{name} has attributes {b.attributes}, was {a.attributes}"
        if _wiring(a) != _wiring(b):
            return "op", f"{name} takes other operands"
    if len(old.equations) != len(new.equations):
        return "op", f"it has {len(new.equations)} ops, had {len(old.equations)}"
    for kind, field, words in _COUNTED:
        was, is_ = getattr(old_key, field), getattr(new_key, field)
        if was != is_:
            return kind, words.format(len(is_), len(was))
    return "option", "an option changed or the program had been unloaded"


_COUNTED = (
    ("liveness", "outputs", "{} values live on, were {}"),
    ("donation", "donatable", "{} inputs can be overwritten, were {}"),
    ("liveness", "residuals", "{} gradients are kept, were {}"),
)


def _wiring(equation: AnyEquation) -> Any:
    """Which values an equation reads, by their positions."""
    if isinstance(equation, VjpEquation):
        return tuple(None if c is None else c.position for c in equation.cotangents), equation.wrt
    return tuple(v.position if isinstance(v, Var) else v for v in equation.inputs)


def _name(equation: AnyEquation) -> str:
    return equation.name if isinstance(equation, Equation) else f"gradient of op {equation.of.number}"


def _ordinal(n: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(n, f"{n}th")
