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
        guards: pairs of a function and what it returned; a replay is valid while it returns the same.
    """

    def __init__(self, symbolic: bool) -> None:
        self.symbolic = symbolic
        self.failed: str | None = None
        self.guards: list[tuple[Callable[[], Any], Any]] = []
        self.seen: dict[int, list[tuple[weakref.ref[Value], weakref.ref[Handle]]]] = {}
        self.written: dict[int, weakref.ref[Handle]] = {}
        self.grads: dict[int, weakref.ref[Handle]] = {}
        self.args: dict[int, int] = {}
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
        for value_ref, handle_ref in self.seen.get(id(value), ()):
            handle = handle_ref()
            if handle is not None and value_ref() is value:
                return "handle", handle
        return "const", value

    def valid(self) -> bool:
        """Whether the call was one graph, so that it can be replayed."""
        return self.failed is None and self.program is not None

    def guard(self, snapshot: Callable[[], Any]) -> None:
        """A replay is valid while ``snapshot()`` stays what it is now."""
        self.guards.append((snapshot, snapshot()))


class Replay:
    """A captured call, ready to run again.

    Sources of inputs and results are ``("arg", k)``, ``("handle", tensor)``, ``("const", value)`` and ``("out", k)``.
    """

    def __init__(self, capture: Capture, results: Sequence[Handle]) -> None:
        assert capture.program is not None and capture.graph is not None
        self.program = capture.program
        self.guards = capture.guards
        self.device = capture.graph.device
        self.inputs = capture.origins
        self.scalars = [
            jax.device_put(s, None if self.device.is_default else self.device.jax_device) for s in pack(capture.graph)
        ]
        output = {p: k for k, p in enumerate(self.program.live)}
        place = {id(v): output[p] for p, ref in enumerate(capture.values) if p in output and (v := ref()) is not None}

        def source(value: Value) -> Source:
            return ("out", place[id(value)]) if id(value) in place else capture.origin(value)

        self.results = [source(h._value) for h in results]
        self.writes = [(h, source(h._value)) for ref in capture.written.values() if (h := ref()) is not None]
        self.grads: list[tuple[Any, Source | None]] = [
            (h, _grad_source(h, source)) for ref in capture.grads.values() if (h := ref()) is not None
        ]
        self.where = [capture.graph.where[n] for n in self.program.checked]
        self.expected = [(h, h._value.aval) for side, h in self.inputs if side == "handle"]
        self.avals = avals_of(self.program.state, self.program.live)

    def holds(self) -> bool:
        """Whether nothing that the captured call depended on has changed."""
        for handle, known in self.expected:
            if handle._value.aval is not known:
                return False
        for snapshot, before in self.guards:
            if snapshot() != before:
                return False
        return True

    def __call__(self, args: list[Value]) -> list[Any]:
        """Run with these arguments; returns handles on the results."""
        inputs = [self._array(source, args) for source in self.inputs]
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
        made: dict[int, Value] = {}
        before = {id(h): h._value for _, (side, h) in self.writes if side == "handle"}

        def value_of(source: Source) -> Value:
            side, what = source
            if side == "out":
                value = made.get(what)
                if value is None:
                    value = made[what] = Value(None, self.avals[what], outs[what], self.device)
                return value
            if side == "handle":
                return before.get(id(what), what._value)
            return args[what] if side == "arg" else what

        results = [new_handle(value_of(source)) for source in self.results]
        for handle, source in self.writes:
            handle._value, handle._node = value_of(source), None
        for owner, grad in self.grads:
            owner._grad = None if grad is None else new_handle(value_of(grad))
        return results

    def _array(self, source: Source, args: list[Value]) -> Any:
        side, what = source
        value = what._value if side == "handle" else args[what] if side == "arg" else what
        if value.array is None:
            materialise(value)
        return value.array


def _grad_source(handle: Any, source: Callable[[Value], Source]) -> Source | None:
    return None if handle._grad is None else source(handle._grad._value)


def capture_call(function: Callable[[], Any], args: Sequence[Handle], symbolic: bool) -> tuple[Any, Capture]:
    """Call ``function`` as one graph if it can be one, and say what it read and wrote."""
    cut("trace")
    before = thread.graph
    capture = Capture(symbolic)
    capture.args = {id(h._value): k for k, h in enumerate(args)}
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
