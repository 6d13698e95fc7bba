"""What a function call reads and writes, noted while it is recorded as one graph, so that it can run again without recording."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from .errors import UnreadableError
from .flushing import evaluate, flush
from .listener import Listener
from .origins import Argument, Constant, Gradient, Held, Origin
from .program import Program
from .recorder import Recorder, thread
from .source import asked_by_user
from .value import Aval, Handle, Value


class Capture(Listener):
    """What one captured call read and wrote.

    Attributes:
        symbolic: reading a value that the call computes is an error.
        failed: why the call cannot be replayed, or None.
        made: values that the call made of data of its own.
        arg_handles: the tensors it was called with.
        guards: functions, what they returned, and whose state that is; a replay is valid while they return the same.
        outside: for each tensor rebound, whether it was there before the call.
    """

    def __init__(self, symbolic: bool) -> None:
        self.symbolic = symbolic
        self.failed: str | None = None
        self.guards: list[tuple[Callable[[], Any], Any, Any]] = []
        self.seen: dict[int, list[tuple[weakref.ref[Value], weakref.ref[Handle]]]] = {}
        self.views: dict[int, weakref.ref[Handle]] = {}
        self.written: dict[int, weakref.ref[Handle]] = {}
        self.outside: dict[int, bool] = {}
        self.grads: dict[int, weakref.ref[Handle]] = {}
        self.grads_before: dict[int, tuple[Any, Aval | None]] = {}
        self.grad_owner: dict[int, tuple[weakref.ref[Value], Handle]] = {}
        self.args: dict[int, tuple[weakref.ref[Value], int]] = {}
        self.arg_handles: list[weakref.ref[Handle]] = []
        self.made: dict[int, Value] = {}
        self.origins: list[Origin] = []
        self.recorder: Recorder | None = None
        self.program: Program | None = None
        self.results: dict[int, tuple[weakref.ref[Value], int]] = {}

    def takes(self, args: Sequence[Handle]) -> None:
        """These are the tensors that the call is given."""
        for k, handle in enumerate(args):
            own = of_its_own(handle)
            self.args[id(own)] = weakref.ref(own), k
        self.arg_handles = [weakref.ref(h) for h in args]

    def bound(self, handle: Handle, value: Value) -> None:
        """The graph reads ``value`` through ``handle``."""
        self.note(handle)

    def note(self, handle: Handle) -> None:
        """``handle`` held its value when the call began, unless it was rebound since, is a view, or the call made the value."""
        if id(handle) not in self.written and id(handle._value) not in self.made and not self._is_view(handle):
            pair = (weakref.ref(handle._value), weakref.ref(handle))
            self.seen.setdefault(id(handle._value), []).append(pair)

    def born(self, handle: Handle) -> None:
        """``handle`` is a view that the call made."""
        self.views[id(handle)] = weakref.ref(handle)

    def _is_view(self, handle: Handle) -> bool:
        known = self.views.get(id(handle))
        return known is not None and known() is handle

    def data(self, value: Value) -> None:
        """``value`` was made of data of the call's own."""
        self.made[id(value)] = value

    def moved(self, value: Value, other: Value) -> None:
        """``other`` is ``value`` on another device, which no graph computes: a constant if ``value`` is one."""
        self.data(other)
        if id(value) not in self.made:
            self.refuse("it moves a tensor to another device")

    def reads(self, value: Value) -> None:
        """The host looks at numbers: those from outside may be others at another call, unlike those that the call made itself."""
        if self.symbolic and value.array is None and value.recorder is thread.recorder and asked_by_user():
            raise UnreadableError(
                "trace(symbolic=True): the value of a tensor that the function computes cannot be read inside it; "
                "use trace(symbolic=False)"
            )
        if id(value) not in self.made:
            self.refuse("it reads the value of a tensor")

    def wrote(self, handle: Handle) -> None:
        """``handle`` is rebound."""
        if id(handle) not in self.written or self.written[id(handle)]() is not handle:
            self.outside[id(handle)] = self._is_outside(handle)
            self.written[id(handle)] = weakref.ref(handle)

    def _is_outside(self, handle: Handle) -> bool:
        """Whether a tensor not rebound yet was there before the call: its value is from outside then, and it is no view."""
        value = handle._value
        return value.recorder is not thread.recorder and id(value) not in self.made and not self._is_view(handle)

    def was_there(self, handle: Handle) -> bool:
        """Whether a tensor was there before the call; asked when the call has run."""
        if id(handle) in self.written and self.written[id(handle)]() is handle:
            return self.outside[id(handle)]
        value = handle._value
        return self.result(value) is None and id(value) not in self.made and not self._is_view(handle)

    def wrote_grad(self, handle: Handle) -> None:
        """The gradient of ``handle`` is set."""
        self.grads[id(handle)] = weakref.ref(handle)
        self.outside.setdefault(id(handle), self._is_outside(handle))

    def read_grad(self, handle: Any) -> None:
        """The gradient of ``handle`` is looked at: it has the one from before the call, or none, unless it was set since."""
        if id(handle) in self.grads or id(handle) in self.grads_before:
            return
        grad = handle._grad
        self.grads_before[id(handle)] = handle, None if grad is None else grad._value.aval
        if grad is not None:
            own = of_its_own(grad)
            self.grad_owner[id(own)] = weakref.ref(own), handle

    def interrupted(self, reason: str) -> None:
        """The graph had to run before the call ended."""
        if reason != "trace":
            self.refuse(f"a part of it has to run before the rest is recorded ({reason})")

    def inputs(self, values: list[Value], positions: list[tuple[int, Aval]]) -> set[int]:
        """Find where each input comes from; what the call rebinds may be overwritten."""
        self.origins = [self.origin(values[p]) for p, _ in positions]
        return {k for k, o in enumerate(self.origins) if isinstance(o, Held) and id(o.tensor) in self.written}

    def ran(self, recorder: Recorder, program: Program, values: list[Value]) -> None:
        """The graph is about to run as ``program``."""
        self.recorder, self.program = recorder, program
        self.results = {id(v): (weakref.ref(v), k) for k, v in enumerate(values[p] for p in program.live)}

    def result(self, value: Value) -> int | None:
        """Which result of the program a value is."""
        ref, k = self.results.get(id(value), (None, 0))
        return k if ref is not None and ref() is value else None

    def origin(self, value: Value) -> Origin:
        """Where a value from outside came from: an argument, a tensor that held it when the call began, or made inside."""
        reference, number = self.args.get(id(value), (None, 0))
        if reference is not None and reference() is value:
            return Argument(number)
        reference, owner = self.grad_owner.get(id(value), (None, None))
        if reference is not None and owner is not None and reference() is value:
            return Gradient(owner)
        holders = [h for v, ref in self.seen.get(id(value), ()) if v() is value and (h := ref()) is not None]
        for other in holders[1:]:
            if other is not holders[0]:
                self.guard(_sharing(holders[0], other))
        if holders:
            return Held(holders[0])
        if id(value) not in self.made:
            self.refuse("it uses a tensor that nothing holds any more")
        return Constant(value)

    def valid(self) -> bool:
        """Whether the call was one graph, so that it can be replayed."""
        return self.failed is None and self.program is not None

    def guard(self, snapshot: Callable[[], Any], owner: Any = None) -> None:
        """A replay is valid while ``snapshot()`` stays what it is now."""
        self.guards.append((snapshot, snapshot(), owner))

    def refuse(self, reason: str) -> None:
        """The call cannot be replayed; the first reason counts."""
        if self.failed is None:
            self.failed = reason


def _sharing(one: Handle, other: Handle) -> Callable[[], bool]:
    """Whether two tensors that shared a value still do."""
    first, second = weakref.ref(one), weakref.ref(other)

    def share() -> bool:
        a, b = first(), second()
        return a is not None and b is not None and a._value is b._value

    return share


def of_its_own(handle: Handle) -> Value:
    """Give a tensor a value object that no other tensor has, of the same array."""
    value = handle._value
    if value.array is None:
        evaluate(value)
    own = Value(None, value.aval, value.array, value.device)
    if hasattr(value, "fits"):
        own.fits = value.fits
    handle._value = own
    return own


def capture_call(function: Callable[[], Any], args: Sequence[Handle], symbolic: bool) -> tuple[Any, Capture]:
    """Call ``function`` as one graph if it can be one, and say what it read and wrote."""
    flush("trace")
    before = thread.recorder
    capture = Capture(symbolic)
    capture.takes(args)
    thread.recorder = recorder = Recorder(before.device, (), capture)
    recorder.limit = sys.maxsize
    try:
        result = function()
        if capture.failed is None:
            flush("trace")
    finally:
        thread.recorder.capture = None
        thread.recorder.limit = before.limit
    return result, capture
