"""A call that is recorded symbolically: what it computes has no value before it ends, and its graph stays the same.

A call records into the graph that is there, so that it costs nothing, and is compared afterwards with an earlier one.
"""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any

from .build import build
from .errors import TraceError, UnreadableError
from .ir import AnyEquation, Equation, Var
from .listener import Listener
from .program import Program
from .recorder import Recorder, thread
from .source import asked_by_user, text
from .transcript import Transcript
from .trie import Node
from .value import Handle, Value

KNOWN_LIMIT = 64


class Symbolic(Listener):
    """One call of a traced function with ``symbolic=True``.

    Attributes:
        whole: the call was recorded without a part of it having run, and without looking at numbers, so it can be compared.
        transcript: what keeps the call, if anything does.
    """

    def __init__(self, transcript: Transcript | None = None) -> None:
        self.transcript = transcript
        self.recorder: Recorder = thread.recorder
        self.entry: Node = self.recorder.node
        self.start = len(self.recorder.index)
        self.computed: weakref.WeakSet[Value] = weakref.WeakSet()
        self.had_gradients: list[bool] = []
        self.whole = True
        self.steps = False
        self.before: list[tuple[Handle, str, Any]] = []
        self.keeps_sizes = transcript is not None

    def bound(self, handle: Handle, value: Value) -> None:
        """The transcript keeps by which tensor it is read."""
        if self.transcript is not None:
            self.transcript.bound(handle, value)

    def moved(self, value: Value, other: Value) -> None:
        """The transcript follows it."""
        if self.transcript is not None:
            self.transcript.moved(value, other)

    def reads(self, value: Value) -> None:
        """Numbers that the call computes cannot be looked at."""
        self.whole = False
        if self.transcript is not None:
            self.transcript.reads(value)
        if self._is_inside(value) and asked_by_user():
            raise UnreadableError(
                "trace(symbolic=True): the value of a tensor that the function computes cannot be read inside it; "
                "use trace(symbolic=False)"
            )

    def sizes(self, value: Value) -> None:
        """MegEngine's graphs find sizes as they run; here a part runs first, so the call cannot be compared."""
        self.whole = False

    def follows(self, value: Value) -> bool:
        """The transcript knows."""
        return self.transcript is not None and self.transcript.follows(value)

    def _is_inside(self, value: Value) -> bool:
        if value.array is not None:
            return value in self.computed
        if value.recorder is self.recorder:
            return self.recorder.index.get(value, -1) >= self.start
        return value.recorder is thread.recorder

    def read_grad(self, handle: Handle) -> None:
        """Whether gradients are there decides whether they are added to."""
        self.had_gradients.append(handle._grad is not None)  # type: ignore[attr-defined]

    def wrote(self, handle: Handle) -> None:
        """Keep what the tensor held."""
        self.before += (handle, "_node", handle._node), (handle, "_value", handle._value)

    def wrote_grad(self, handle: Handle) -> None:
        """Keep the gradient that the tensor had."""
        self.before.append((handle, "_grad", handle._grad))  # type: ignore[attr-defined]

    def undo(self) -> None:
        """Give every tensor what it held when the call began."""
        deque(starmap(setattr, reversed(self.before)), 0)

    def stepped(self) -> None:
        """The step runs when the call has ended."""
        self.steps = True

    def interrupted(self, reason: str) -> None:
        """What ran is no longer there to compare."""
        self.whole = False
        if self.transcript is not None:
            self.transcript.add()

    def ran(self, recorder: Recorder, program: Program, values: list[Value]) -> None:
        """Remember what was computed inside the call."""
        first = self.start if recorder is self.recorder else 0
        self.computed.update(values[p] for p in program.live if p >= first)

    def refuse(self, reason: str) -> None:
        """A part of the call may differ each time."""
        self.whole = False

    def recorded(self) -> list[AnyEquation]:
        """The equations that the call has recorded, if it is whole."""
        recorder = thread.recorder
        if not self.whole or recorder is not self.recorder:
            return []
        function = build(recorder.node, sources=[text(s) for s in recorder.sources])
        return list(function.equations[self.entry.depth :])


@dataclass
class Known:
    """The calls of one traced function that were alike in arguments: the first one, and places in the trie known to agree."""

    first: list[AnyEquation] | None = None
    agreed: set[tuple[Node, Node]] = field(default_factory=set)

    def compare(self, call: Symbolic) -> None:
        """Hold a call against the first.

        Raises:
            TraceError: it recorded other operations; the message is MegEngine's, a note names the first one and both lines.
        """
        recorder = thread.recorder
        if not call.whole or recorder is not call.recorder or (call.entry, recorder.node) in self.agreed:
            return
        now = call.recorded()
        if self.first is None:
            self.first = now
        else:
            difference = _difference(self.first, now)
            if difference is not None:
                reason, where = difference
                error = TraceError(f"trace error because {reason}")
                error.add_note(where)
                raise error
        if len(self.agreed) < KNOWN_LIMIT:
            self.agreed.add((call.entry, recorder.node))


def _difference(first: list[AnyEquation], now: list[AnyEquation]) -> tuple[str, str] | None:
    """How two calls differ first, in MegEngine's words and in ours; None if they do not, or if their shapes differ before."""
    one, other = _Wiring(), _Wiring()
    for k, (was, is_) in enumerate(zip(first, now, strict=False)):
        before, after = one.add(was), other.add(is_)
        where = f"operation {k} was {_name(was)} at {was.source}, now it is {_name(is_)} at {is_.source}"
        if _kind(was) != _kind(is_):
            return "operator mismatch", where
        if [v.aval for v in was.outputs] != [v.aval for v in is_.outputs] or len(before) != len(after):
            return None
        for a, b in zip(before, after, strict=True):
            if a != b:
                met = "input id mismatch" if a is not None and b is not None else _EXPECTED[a is None]
                return met, f"an operand of it comes from elsewhere: {where}"
    if len(now) > len(first):
        extra = now[len(first)]
        return "too many instructions", f"there was no {_name(extra)} of {extra.source}"
    if len(now) < len(first):
        missing = first[len(now)]
        return "mismature end", f"there was {_name(missing)} of {missing.source} besides"
    return None


_EXPECTED = {True: "expect external node, got internal", False: "expect internal node, got external"}


class _Wiring:
    """Which earlier result of the call each operand is: counted from its first, None for what is from outside."""

    def __init__(self) -> None:
        self.numbers: dict[Var, int] = {}

    def add(self, equation: AnyEquation) -> list[int | None]:
        operands = equation.inputs if isinstance(equation, Equation) else equation.cotangents
        numbers = [self.numbers.get(o) if isinstance(o, Var) else None for o in operands]
        for var in equation.outputs:
            self.numbers[var] = len(self.numbers)
        return numbers


def _kind(equation: AnyEquation) -> Any:
    return equation.op if isinstance(equation, Equation) else None


def _name(equation: AnyEquation) -> str:
    return equation.name if isinstance(equation, Equation) else "a gradient"
