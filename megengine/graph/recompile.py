"""What differs where a place needs another program: for messages and counters, and to keep what stays the same apart."""

from __future__ import annotations

import logging
from types import CodeType
from typing import Any

from . import record
from .errors import RecompileError
from .options import options
from .program import lookup
from .record import Graph
from .structure import Pull, State
from .tiers import tier_of
from .where import Line, Where, line, text

log = logging.getLogger("megengine.graph")


class _Place:
    """The programs of graphs that begin at one line and end at one line.

    Attributes:
        state, key: the last one.
        reason: the kind of what differed last.
        programs: how many.
        restless: how often in a row new shapes came before the last program had paid off by being run again.
        unpaid: the same of any difference.
    """

    __slots__ = ("state", "key", "reason", "programs", "restless", "unpaid")

    def __init__(self) -> None:
        self.state: State | None = None
        self.key: tuple[Any, ...] = ()
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


def note_program(graph: Graph, state: State, key: tuple[Any, ...]) -> str:
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
    if place.state is not None and (compiled or options.on_recompile == "error" or place.restless <= SPLITS_AFTER):
        place.reason, detail = difference(place.state, place.key, state, key)
        _count(place, begin, state)
        if options.on_recompile == "error":
            start = text(graph.where[0])
            graph.error = RecompileError(
                f"compiling again ({_ordinal(place.programs)} time) what starts at {start}, since {detail}"
            )
            raise graph.error
        if compiled and options.on_recompile == "log" and place.unpaid == TOLD_AFTER:
            _warn(place, text(graph.where[0]), detail)
    place.state, place.key = state, key
    return place.reason


def _count(place: _Place, begin: Spot, state: State) -> None:
    assert place.state is not None
    last = lookup(place.state, place.key)
    if last is not None and last.hits >= PAYS_OFF:
        place.restless = place.unpaid = 0
        return
    place.unpaid += 1
    if place.reason == "shape":
        place.restless += 1
        if place.restless == SPLITS_AFTER:
            _split(begin, place.state, state)


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


def _split(begin: Spot, old: State, new: State) -> None:
    depth = _settled_from(old, new)
    if 0 < depth <= new.depth - WORTH_A_CUT:
        record.some_place_is_special = True
        _splits[begin] = max(depth, _splits.get(begin, 0))


def _settled_from(old: State, new: State) -> int:
    """How many ops come before those that are the same in both, to the end."""
    depth = new.depth
    if old.depth == depth:
        for a, b in zip(reversed(_signatures(old)), reversed(_signatures(new)), strict=True):
            if a != b:
                break
            depth -= 1
    return depth


def _signatures(state: State) -> list[tuple[Any, ...]]:
    """Of each instruction what has to be the same for its program to be: op, settings, and all shapes and dtypes."""
    known = {**dict(state.input_positions()), **state.results()}
    found: list[tuple[Any, ...]] = []
    for step in state.path():
        instr = step.instr
        takes = tuple(known[o] if isinstance(o, int) else o for o in _wiring(instr)[0])
        if isinstance(instr, Pull):
            own: tuple[Any, ...] = (found[instr.source], instr.mask, instr.need)
        else:
            own = (instr.op, instr.attrs)
        found.append((*own, _wiring(instr), takes, step.avals))
    return found


def difference(old: State, old_key: tuple[Any, ...], new: State, new_key: tuple[Any, ...]) -> tuple[str, str]:
    """The kind (shape, dtype, format, op, liveness, donation) and the words for what differs between two programs."""
    for number, (a, b) in enumerate(zip(old.path(), new.path(), strict=False)):
        name = f"op {number} ({_name(new, b.instr)})"
        if _name(old, a.instr) != _name(new, b.instr):
            return "op", f"op {number} is {_name(new, b.instr)}, was {_name(old, a.instr)}"
        for x, y in zip((*a.inputs, *a.avals), (*b.inputs, *b.avals), strict=False):
            if x.shape != y.shape:
                return "shape", f"{name} meets shape {y.shape}, was {x.shape}"
            if x.dtype != y.dtype:
                return "dtype", f"{name} meets dtype {y.dtype}, was {x.dtype}"
            if x.format != y.format:
                return "format", f"{name} meets format {y.format}, was {x.format}"
        if getattr(a.instr, "attrs", ()) != getattr(b.instr, "attrs", ()):
            return "op", f"{name} has attributes {b.instr.attrs}, was {a.instr.attrs}"
        if a.instr is not b.instr and _wiring(a.instr) != _wiring(b.instr):
            return "op", f"{name} takes other operands"
    if old.depth != new.depth:
        return "op", f"it has {new.depth} ops, had {old.depth}"
    if old_key[0] != new_key[0]:
        return "liveness", f"{len(new_key[0])} values live on, were {len(old_key[0])}"
    if old_key[1] != new_key[1]:
        return "donation", f"{len(new_key[1])} inputs can be overwritten, were {len(old_key[1])}"
    if old_key[2] != new_key[2]:
        return "liveness", f"{len(new_key[2])} gradients are kept, were {len(old_key[2])}"
    return "option", "an option changed or the program had been unloaded"


def _wiring(instr: Any) -> Any:
    return (instr.cots, instr.need) if isinstance(instr, Pull) else (instr.operands,)


def _name(state: State, instr: Any) -> str:
    if isinstance(instr, Pull):
        return f"gradient of op {instr.source}"
    return str(instr.op.name)


def _ordinal(n: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(n, f"{n}th")
