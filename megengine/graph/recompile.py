"""What differs where a call site needs another program: for messages and counters, and to keep what stays the same apart."""

from __future__ import annotations

import logging
from typing import Any

from .build import build
from .errors import RecompileError
from .ir import AnyEquation, Equation, Function, Var, VjpEquation
from .options import options
from .program import Key, lookup
from .recorder import Recorder
from .recording import Recording
from .source import text
from .splits import Spot, forget_splits, split, split_sooner, spot
from .tiers import COMPILED, tier_of
from .trie import Call, Node

log = logging.getLogger("megengine.graph")


class CallSite:
    """The programs of graphs that begin at one line and end at one line.

    Attributes:
        node, key, recording: the last one.
        reason: the kind of what differed last.
        programs: how many.
        unstable: how often in a row new shapes came before the last program had paid off by being run again.
        unpaid: the same of any difference.
        seconds: how long the last one that was compiled in the background took for that.
    """

    __slots__ = ("node", "key", "recording", "reason", "programs", "unstable", "unpaid", "seconds")

    def __init__(self) -> None:
        self.node: Node | None = None
        self.key = Key(())
        self.recording = Recording((), ())
        self.reason = "new"
        self.programs = 0
        self.unstable = 0
        self.unpaid = 0
        self.seconds = 0.0


_sites: dict[tuple[Spot, Spot], CallSite] = {}
CALL_SITES_LIMIT = 4096
PAYS_OFF = 5
SPLITS_AFTER = 3
WORTH_A_CUT, WORTH_A_CUT_ELEMENTS = 8, 1 << 16  # ops, or elements that they compute: one of the two
WORTH_A_CUT_BEHIND = 64  # a flush more in each step, and what gradients need of it is kept
# A smaller last batch, and evaluation with one of its own, are three; what comes again pays off in later epochs.
TOLD_AFTER = 4
_ADVICE = {
    "shape": "pad or bucket its inputs to a few sizes",
    "dtype": "give its inputs one dtype",
    "op": "what changes from call to call is best given as tensors, or made by the same calls each time",
}


def note_program(recorder: Recorder, node: Node, key: Key, recording: Recording) -> CallSite:
    """Say what differs from the last program of the same call site; returns that, whose reason the compilation counts by.

    Raises:
        RecompileError: this call site had a program before and the option ``on_recompile`` is ``"error"``.
    """
    if len(_sites) > CALL_SITES_LIMIT:
        _sites.clear()
    begin = spot(recorder.sources[0])
    site = _sites.setdefault((begin, spot(recorder.sources[-1])), CallSite())
    site.programs += 1
    compiled = tier_of(recorder.device) is COMPILED
    if site.node is not None and (compiled or options.on_recompile == "error" or site.unstable <= SPLITS_AFTER):
        site.reason = kind_of_difference(site.node, site.key, node, key)
        _count(site, begin, node)
        if options.on_recompile == "error":
            start, detail = text(recorder.sources[0]), _in_words(site, node, key, recording)
            recorder.error = RecompileError(
                f"compiling again ({_ordinal(site.programs)} time) what starts at {start}, since {detail}"
            )
            raise recorder.error
        if compiled and options.on_recompile == "log" and site.unpaid == TOLD_AFTER:
            _warn(site, text(recorder.sources[0]), _in_words(site, node, key, recording))
    site.node, site.key, site.recording = node, key, recording
    return site


def _in_words(site: CallSite, node: Node, key: Key, recording: Recording) -> str:
    """What differs, with the names of parameters, which are looked for only when someone is told."""
    assert site.node is not None
    return difference(site.recording.function(site.node), site.key, recording.function(node), key)


def _count(site: CallSite, begin: Spot, node: Node) -> None:
    assert site.node is not None
    last = lookup(site.node, site.key)
    if last is not None and last.hits >= PAYS_OFF:
        site.unstable = site.unpaid = 0
        return
    site.unpaid += 1
    if site.reason == "shape":
        site.unstable += 1
        if site.unstable == SPLITS_AFTER:
            _split(begin, site.node, node)


def _warn(site: CallSite, start: str, detail: str) -> None:
    log.warning(
        "what starts at %s was compiled %d times in a row without being used much: this time, %s; %s",
        start,
        TOLD_AFTER + 1,
        detail,
        _ADVICE.get(site.reason, "keep the same results from call to call"),
    )


def forget_call_sites() -> None:
    """Start anew: no call site has had a program yet."""
    _sites.clear()
    forget_splits()


def _split(begin: Spot, old: Node, new: Node) -> None:
    settled = _settled_until(old, new)
    if settled >= WORTH_A_CUT_BEHIND:
        split_sooner(begin, settled)
        return
    depth = _settled_from(old, new)
    worth_it = new.depth - depth >= WORTH_A_CUT or _elements(new, depth) >= WORTH_A_CUT_ELEMENTS
    if depth and worth_it:
        split(begin, depth)


def _settled_until(old: Node, new: Node) -> int:
    """How many ops both begin with: a backbone before a head whose shapes change."""
    count = 0
    for a, b in zip(old.path(), new.path(), strict=False):
        if a is not b:
            break
        count += 1
    return count


def _settled_from(old: Node, new: Node) -> int:
    """How many ops come before those that are the same in both, to the end."""
    depth = new.depth
    if old.depth == depth:
        for a, b in zip(reversed(_signatures(build(old))), reversed(_signatures(build(new))), strict=True):
            if a != b:
                break
            depth -= 1
    return depth


def _elements(node: Node, depth: int) -> int:
    """How many elements the ops after the first ``depth`` compute."""
    return sum(v.aval.size for equation in build(node).equations[depth:] for v in equation.outputs)


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


def kind_of_difference(old: Node, old_key: Key, new: Node, new_key: Key) -> str:
    """What differs first between two programs: shape, dtype, format, op, liveness, donation or option."""
    if old is not new:
        for a, b in zip(old.path(), new.path(), strict=False):
            if a is not b and (kind := _kind_of_calls(a, b)):
                return kind
        if old.depth != new.depth:
            return "op"
    return next((kind for kind, field, _ in _COUNTED if getattr(old_key, field) != getattr(new_key, field)), "option")


def _kind_of_calls(a: Node, b: Node) -> str:
    """What differs between the last calls of two structures that begin alike; empty if nothing does."""
    one, two = a.call.recorded(), b.call.recorded()
    if one[0] is not two[0]:
        return "op"
    pairs = [*zip(a.inputs, b.inputs, strict=False), *zip(a.avals, b.avals, strict=False)]
    if isinstance(a.call, Call):
        pairs = [*zip(one[-1], two[-1], strict=False), *pairs]
    for x, y in pairs:
        if type(x) is not type(y):  # a tensor instead of a number
            return "op"
        for what in ("shape", "dtype", "format"):
            if getattr(x, what, None) != getattr(y, what, None):
                return what
    return "" if one == two and a.inputs == b.inputs else "op"


def difference(old: Function, old_key: Key, new: Function, new_key: Key) -> str:
    """What differs first between two programs, in words."""
    for number, (a, b) in enumerate(zip(old.equations, new.equations, strict=False)):
        name = f"op {number} ({_name(b)})"
        if _name(a) != _name(b):
            return f"op {number} is {_name(b)}, was {_name(a)}"
        for x, y in zip((*a.reads(), *a.outputs), (*b.reads(), *b.outputs), strict=False):
            of = f" of {y.name}" if y.name else ""
            for what in ("shape", "dtype", "format"):
                was, is_ = getattr(x.aval, what), getattr(y.aval, what)
                if was != is_:
                    return f"{name} meets {what} {is_}{of}, was {was}"
        if isinstance(a, Equation) and isinstance(b, Equation) and a.signature.attrs != b.signature.attrs:
            return f"{name} has attributes {b.attributes}, was {a.attributes}"
        if _wiring(a) != _wiring(b):
            return f"{name} takes other operands"
    if len(old.equations) != len(new.equations):
        return f"it has {len(new.equations)} ops, had {len(old.equations)}"
    for _, field, words in _COUNTED:
        was, is_ = getattr(old_key, field), getattr(new_key, field)
        if was != is_:
            return words.format(len(is_), len(was))
    return "an option changed or the program had been unloaded"


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
