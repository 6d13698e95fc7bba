"""A whole function call as one program that runs without recording.

While a call is captured, the engine notes which tensors the graph read and which were rebound. A replay then feeds the
program the tensors' current values and rebinds the same tensors to its results.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .counters import counters
from .program import Program, avals_of
from .record import Graph, materialise, pack, thread
from .run import ONLY_ARRAY, cut, note_flags
from .value import Aval, Handle, Value, new_handle

_refs = sys.getrefcount
Source = tuple[str, Any]


def _baseline_of_handle() -> int:
    """Reference count, as a replay sees it, of a value that only its handle refers to."""
    handle = new_handle(Value(None, None, None, None))  # type: ignore[arg-type]
    for _ in range(1):
        value = handle._value
        return _refs(value)
    raise AssertionError


ONLY_HANDLE = _baseline_of_handle()


class Capture:
    """What one captured call read and wrote.

    Attributes:
        symbolic: reading a tensor's value inside is an error.
        failed: why the call cannot be replayed, or None.
        made: values that the call made of data of its own.
        arg_handles: the tensors it was called with.
        guards: pairs of a function and what it returned; a replay is valid while it returns the same.
    """

    def __init__(self, symbolic: bool) -> None:
        self.symbolic = symbolic
        self.failed: str | None = None
        self.guards: list[tuple[Callable[[], Any], Any]] = []
        self.seen: dict[int, list[tuple[weakref.ref[Value], weakref.ref[Handle]]]] = {}
        self.written: dict[int, weakref.ref[Handle]] = {}
        self.grads: dict[int, weakref.ref[Handle]] = {}
        self.grads_before: dict[int, tuple[Any, Aval | None]] = {}
        self.grad_owner: dict[int, Handle] = {}
        self.args: dict[int, int] = {}
        self.arg_handles: list[weakref.ref[Handle]] = []
        self.made: dict[int, Value] = {}
        self.origins: list[Source] = []
        self.graph: Graph | None = None
        self.program: Program | None = None
        self.values: list[weakref.ref[Value]] = []

    def bound(self, handle: Handle, value: Value) -> None:
        """The graph read ``value`` through ``handle``."""
        self.note(handle)

    def note(self, handle: Handle) -> None:
        """``handle`` held its value when the call began, unless it was rebound since."""
        if id(handle) not in self.written:
            pair = (weakref.ref(handle._value), weakref.ref(handle))
            self.seen.setdefault(id(handle._value), []).append(pair)

    def read(self, value: Value) -> None:
        """The host looked at numbers that are there already; another call may bring others, unless the call made them."""
        if id(value) not in self.made:
            self.failed = "read"

    def wrote(self, handle: Handle) -> None:
        """``handle`` was rebound."""
        self.written[id(handle)] = weakref.ref(handle)

    def wrote_grad(self, handle: Handle) -> None:
        """The gradient of ``handle`` was set."""
        self.grads[id(handle)] = weakref.ref(handle)

    def read_grad(self, handle: Any) -> None:
        """The gradient of ``handle`` was looked at: it has the one from before the call, or none, unless it was set since."""
        if id(handle) in self.grads or id(handle) in self.grads_before:
            return
        grad = handle._grad
        self.grads_before[id(handle)] = handle, None if grad is None else grad._value.aval
        if grad is not None:
            self.grad_owner[id(_of_its_own(grad))] = handle

    def interrupted(self, reason: str) -> None:
        """The graph had to run before the call ended."""
        if reason != "trace":
            self.failed = reason

    def inputs(self, values: list[Value], positions: list[tuple[int, Aval]]) -> set[int]:
        """The graph is about to run: find where each input comes from; returns those that may be overwritten."""
        self.origins = [self.origin(values[p]) for p, _ in positions]
        return {k for k, (side, holder) in enumerate(self.origins) if side == "handle" and id(holder) in self.written}

    def ran(self, graph: Graph, program: Program, values: list[Value]) -> None:
        """The graph is about to run as ``program``."""
        self.graph, self.program = graph, program
        self.values = [weakref.ref(v) for v in values]

    def origin(self, value: Value) -> Source:
        """Where a value from outside came from: an argument, a tensor that held it when the call began, or made inside."""
        if id(value) in self.args:
            return "arg", self.args[id(value)]
        if id(value) in self.grad_owner:
            return "grad", self.grad_owner[id(value)]
        holders = [h for v, ref in self.seen.get(id(value), ()) if v() is value and (h := ref()) is not None]
        for other in holders[1:]:
            if other is not holders[0]:
                self.guard(_sharing(holders[0], other))
        return ("handle", holders[0]) if holders else ("const", value)

    def valid(self) -> bool:
        """Whether the call was one graph, so that it can be replayed."""
        return self.failed is None and self.program is not None

    def guard(self, snapshot: Callable[[], Any]) -> None:
        """A replay is valid while ``snapshot()`` stays what it is now."""
        self.guards.append((snapshot, snapshot()))


class Replay:
    """A captured call, ready to run again.

    Sources of inputs and results are ``("arg", k)``, ``("handle", tensor)``, ``("grad", place)``, ``("const", value)`` and
    ``("out", k)``. A place, of what is rebound or has a gradient, is a tensor, or an argument's number.
    """

    def __init__(self, capture: Capture, results: Sequence[Handle], structure: Any) -> None:
        assert capture.program is not None and capture.graph is not None
        self.structure = structure
        self.program = capture.program
        self.guards = capture.guards
        self.device = capture.graph.device
        self.args = capture.arg_handles
        self.doubtful = list(range(len(self.args)))
        self.scalars = [
            jax.device_put(s, None if self.device.is_default else self.device.jax_device) for s in pack(capture.graph)
        ]
        number = {id(h): k for k, ref in enumerate(capture.arg_handles) if (h := ref()) is not None}

        def place(handle: Handle) -> Any:
            return number.get(id(handle), handle)

        def origin(source: Source) -> Source:
            return ("grad", place(source[1])) if source[0] == "grad" else source

        output = {p: k for k, p in enumerate(self.program.live)}
        result = {id(v): output[p] for p, ref in enumerate(capture.values) if p in output and (v := ref()) is not None}

        def source(handle: Any) -> Source:
            value = handle._value
            if id(value) in result:
                return "out", result[id(value)]
            side, what = origin(capture.origin(value))
            # What nothing read and the call did not make is a tensor from outside, handed on.
            return ("handle", handle) if side == "const" and id(value) not in capture.made else (side, what)

        self.inputs = [origin(s) for s in capture.origins]
        self.results = [source(h) for h in results]
        written = [h for ref in capture.written.values() if (h := ref()) is not None]
        graded: list[Any] = [h for ref in capture.grads.values() if (h := ref()) is not None]
        gradients = {id(h._grad) for h in [*graded, *(h for h, _ in capture.grads_before.values())]}
        self.writes = [(place(h), source(h)) for h in written if id(h) not in gradients]
        self.grads = [(place(h), None if h._grad is None else source(h._grad)) for h in graded]
        self.grads_before = [(place(h), aval) for h, aval in capture.grads_before.values()]
        self.where = [capture.graph.where[n] for n in self.program.checked]
        self.expected = [(h, h._value.aval) for side, h in self.inputs if side == "handle"]
        self.avals = avals_of(self.program.state, self.program.live)
        places = [p for p, _ in [*self.writes, *self.grads, *self.grads_before]]
        places += [h for side, h in [*self.inputs, *self.results] if side == "handle"]
        self.outside = {id(p) for p in places if type(p) is not int}

    def holds(self, args: Sequence[Any]) -> bool:
        """Whether nothing that the captured call depended on has changed."""
        for handle, known in self.expected:
            if handle._value.aval is not known:
                return False
        for place, known in self.grads_before:
            grad = _at(place, args)._grad
            if (None if grad is None else grad._value.aval) is not known:
                return False
        for snapshot, before in self.guards:
            if snapshot() != before:
                return False
        return True

    def has_as_its_own(self, args: Sequence[Handle]) -> bool:
        """Whether an argument is a tensor that the body also knows by another way: then it is not what was captured."""
        return not self.outside.isdisjoint(map(id, args))

    def may_confuse(self, args: Sequence[Handle]) -> bool:
        """Whether the captured call had, in the place of one of these, a tensor that its body may know by another way."""
        for k in self.doubtful:
            known = self.args[k]()
            if known is not None and known is not args[k]:
                return True
        return False

    def replaces(self, other: Replay) -> None:
        """Captured since ``other`` may confuse: what the body knows is outside ``other``, or was in a doubtful place of it."""
        hidden = {id(known) for k in other.doubtful if (known := other.args[k]()) is not None}
        self.doubtful = [k for k, ref in enumerate(self.args) if id(ref()) in hidden]

    def __call__(self, args: Sequence[Any]) -> list[Any]:
        """Run with these arguments; returns handles on the results."""
        inputs = [self._value(source, args).array for source in self.inputs]
        for k in self.program.donated:
            value = self.inputs[k][1]._value
            if _refs(value) > ONLY_HANDLE or _refs(value.array) > ONLY_ARRAY + 1:
                inputs[k] = jnp.array(inputs[k])
            del value
        outs = self.program.run(*self.scalars, *inputs)
        if self.program.checked:
            note_flags(outs[self.program.leading - 1], self.program, self.where)
        if self.program.leading:
            outs = outs[self.program.leading :]
        counters.replays += 1
        counters.bytes_donated += self.program.donated_bytes
        made = [Value(None, aval, out, self.device) for aval, out in zip(self.avals, outs, strict=True)]

        def value_of(source: Source) -> Value:
            return made[source[1]] if source[0] == "out" else self._value(source, args)

        results = [new_handle(value_of(source)) for source in self.results]
        writes = [(place, value_of(source)) for place, source in self.writes]
        grads = [(place, None if source is None else new_handle(value_of(source))) for place, source in self.grads]
        for place, value in writes:
            handle = _at(place, args)
            handle._value, handle._node = value, None
        for place, grad in grads:
            _at(place, args)._grad = grad
        return results

    @staticmethod
    def _value(source: Source, args: Sequence[Any]) -> Value:
        side, what = source
        if side == "grad":
            what = _at(what, args)._grad
        value = args[what]._value if side == "arg" else what if side == "const" else what._value
        if value.array is None:
            materialise(value)
        return value


def _at(place: Any, args: Sequence[Any]) -> Any:
    """The tensor of a place."""
    return args[place] if type(place) is int else place


def _sharing(one: Handle, other: Handle) -> Callable[[], bool]:
    """Whether two tensors that shared a value still do."""
    first, second = weakref.ref(one), weakref.ref(other)

    def share() -> bool:
        a, b = first(), second()
        return a is not None and b is not None and a._value is b._value

    return share


def _of_its_own(handle: Handle) -> Value:
    """Give a tensor a value object that no other tensor has, of the same array."""
    value = handle._value
    if value.array is None:
        materialise(value)
    handle._value = Value(None, value.aval, value.array, value.device)
    return handle._value


def capture_call(function: Callable[[], Any], args: Sequence[Handle], symbolic: bool) -> tuple[Any, Capture]:
    """Call ``function`` as one graph if it can be one, and say what it read and wrote."""
    cut("trace")
    before = thread.graph
    capture = Capture(symbolic)
    capture.args = {id(_of_its_own(h)): k for k, h in enumerate(args)}
    capture.arg_handles = [weakref.ref(h) for h in args]
    thread.graph = graph = Graph(before.device, (), False, capture)
    graph.limit = sys.maxsize
    try:
        result = function()
        if capture.failed is None:
            cut("trace")
    finally:
        thread.graph.capture = None
        thread.graph.limit = before.limit
    return result, capture
