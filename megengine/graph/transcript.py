"""What one call recorded, kept so that it can be made a :class:`~megengine.graph.ir.Function` of its arguments later.

The call runs as it would otherwise. Where its graph has to run before it ends, the function is put together from the parts.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import scopes
from .build import build
from .capture import of_its_own
from .flushing import evaluate, flush
from .ir import AnyEquation, Equation, Function, Scalar, Var, VjpEquation
from .listener import Listener
from .names import names_of
from .passes import dead_code
from .recorder import Recorder, thread
from .source import Source, here, text
from .trie import Node
from .value import Handle, Value


class _Made(NamedTuple):
    """A value that a part computes, by its position there."""

    part: int
    position: int


class _Given(NamedTuple):
    """What an argument holds."""

    number: int


class _Outside(NamedTuple):
    """A value from elsewhere, and the tensor by which it was read."""

    value: Value
    holder: Any


_Origin = _Made | _Given | _Outside


class _Part(NamedTuple):
    """What was recorded between two runs of the graph."""

    node: Node
    inputs: list[_Origin]
    floats: list[float]
    ints: list[int]
    sources: list[Source]
    scopes: list[tuple[str, ...]]


class Transcript:
    """Collects the parts of one call, between ``begin`` and ``end``; the recorder's listener passes on what it hears.

    Args:
        args: the tensors that the call is given.

    Attributes:
        refused: why the call cannot be kept, or empty.
    """

    def __init__(self, args: Sequence[Handle]) -> None:
        flush("trace")
        self.refused = ""
        self.parts: list[_Part] = []
        self.results: list[_Origin] = []
        self.avals = [h._value.aval for h in args]
        self._where: weakref.WeakKeyDictionary[Value, _Origin] = weakref.WeakKeyDictionary()
        self._holders: dict[int, Any] = {}
        for k, handle in enumerate(args):
            self._where[of_its_own(handle)] = _Given(k)

    def begin(self) -> None:
        """Record into a graph of its own from here on."""
        scopes.watch(self)
        before = thread.recorder
        thread.recorder = Recorder(before.device, before.tapes, watched=True)

    def end(self) -> None:
        """Undo :meth:`begin`."""
        scopes.unwatch(self)
        thread.recorder.capture = None
        thread.recorder.scopes = None if not thread.watchers else thread.recorder.scopes

    def bound(self, handle: Handle, value: Value) -> None:
        """See :class:`~megengine.graph.listener.Listener`."""
        self._holders.setdefault(id(value), weakref.ref(handle))

    def moved(self, value: Value, other: Value) -> None:
        """See :class:`~megengine.graph.listener.Listener`."""
        origin = self._where.get(value)
        if origin is not None:
            self._where[other] = origin

    def follows(self, value: Value) -> bool:
        """See :class:`~megengine.graph.listener.Listener`."""
        return value.recorder is thread.recorder or value in self._where

    def reads(self, value: Value) -> None:
        """See :class:`~megengine.graph.listener.Listener`."""
        if self.follows(value):
            self.refused = self.refused or (
                "it reads the value of a tensor that it computes or is given, and what it does next may depend on that "
                f"({text(here(2))})"
            )

    def add(self) -> None:
        """The graph is about to run: keep what it is."""
        recorder = thread.recorder
        number = len(self.parts)
        if recorder.node.depth:
            self._keep(recorder)
            for position, value in enumerate(recorder.index):
                self._where.setdefault(value, _Made(number, position))

    def _keep(self, recorder: Recorder) -> None:
        values = list(recorder.index)
        inputs = [self._origin(values[p]) for p, _ in recorder.node.input_positions()]
        depth = recorder.node.depth
        where = list(recorder.scopes or ())[:depth]
        part = _Part(recorder.node, inputs, [*recorder.floats], [*recorder.ints], recorder.sources[:depth], where)
        self.parts.append(part)

    def _origin(self, value: Value) -> _Origin:
        found = self._where.get(value)
        return _Outside(value, self._holders.get(id(value), weakref.ref(value))) if found is None else found

    def finish(self, results: Sequence[Handle]) -> None:
        """The call is about to end with these results."""
        recorder, number = thread.recorder, len(self.parts)
        if recorder.node.depth:
            self._keep(recorder)
        for handle in results:
            position = recorder.index.get(handle._value) if recorder.node.depth else None
            self.results.append(self._origin(handle._value) if position is None else _Made(number, position))
        self._where.clear()
        self._holders = {}

    def function(self, names: Sequence[str] = ()) -> tuple[Function, list[float], list[int]]:
        """The function of the arguments, and its Python numbers.

        Args:
            names: of the arguments.
        """
        return _Joined(self, names).result()


class _Joined:
    """The parts as one function."""

    def __init__(self, transcript: Transcript, names: Sequence[str]) -> None:
        self.transcript = transcript
        padded = [*names, *[""] * len(transcript.avals)]
        self.inputs = [Var(a, n) for a, n in zip(transcript.avals, padded, strict=False)]
        self.made: dict[_Made, Var] = {}
        self.constants: dict[Value, Var] = {}
        self.equations: list[AnyEquation] = []
        self.floats: list[float] = []
        self.ints: list[int] = []
        self._name_constants()
        for number, part in enumerate(transcript.parts):
            self._add(number, part)

    def _name_constants(self) -> None:
        found: dict[Value, Any] = {}
        for origins in (*(part.inputs for part in self.transcript.parts), self.transcript.results):
            found.update({o.value: o.holder for o in origins if isinstance(o, _Outside)})
        for value, name in zip(found, names_of([*found.values()], with_network=True), strict=True):
            self.constants[value] = Var(value.aval, name)

    def _var(self, origin: _Origin) -> Var:
        if isinstance(origin, _Given):
            return self.inputs[origin.number]
        return self.made[origin] if isinstance(origin, _Made) else self.constants[origin.value]

    def _add(self, number: int, part: _Part) -> None:
        positions = range(part.node.count)
        lines = [text(s) for s in part.sources]
        function = build(part.node, positions, sources=lines, scopes=part.scopes)
        own = dict(zip(function.inputs, map(self._var, part.inputs), strict=True))
        function = function.replace(own)
        self.made.update((_Made(number, p), own.get(v, v)) for p, v in zip(positions, function.outputs, strict=True))
        shifted: dict[Equation, Equation] = {}
        for equation in function.equations:
            if isinstance(equation, Equation):
                new: AnyEquation = self._shifted(equation)
                shifted[equation] = new  # type: ignore[assignment]
            else:
                new = equation.with_vars(equation.cotangents, equation.outputs, shifted[equation.of])
            new.number = len(self.equations)
            self.equations.append(new)
        self.floats += part.floats[: part.node.floats]
        self.ints += part.ints[: part.node.ints]

    def _shifted(self, equation: Equation) -> Equation:
        offset = {"f": len(self.floats), "i": len(self.ints), "b": len(self.ints)}
        inputs = tuple(v if isinstance(v, Var) else Scalar(v.kind, v.number + offset[v.kind]) for v in equation.inputs)
        return equation.with_vars(inputs, equation.outputs)

    def result(self) -> tuple[Function, list[float], list[int]]:
        outputs = [self._var(o) for o in self.transcript.results]
        function = dead_code(Function(self.inputs, self.equations, outputs, len(self.floats), len(self.ints)))
        read = {v for e in function.equations for v in (*e.reads(), *_of(e))} | set(outputs)
        held = {}
        for value, var in self.constants.items():
            if var in read:
                evaluate(value)
                held[var] = np.asarray(value.array)
        return function.having(constants=held), self.floats, self.ints


def _of(equation: AnyEquation) -> tuple[Var, ...]:
    return equation.of.reads() if isinstance(equation, VjpEquation) else ()


class Transcribing(Listener):
    """Hears for a transcript alone."""

    keeps_sizes = True

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript

    def bound(self, handle: Handle, value: Value) -> None:
        """See :class:`Transcript`."""
        self.transcript.bound(handle, value)

    def moved(self, value: Value, other: Value) -> None:
        """See :class:`Transcript`."""
        self.transcript.moved(value, other)

    def reads(self, value: Value) -> None:
        """See :class:`Transcript`."""
        self.transcript.reads(value)

    def sizes(self, value: Value) -> None:
        """An op of its own says what the size follows from."""

    def follows(self, value: Value) -> bool:
        """See :class:`Transcript`."""
        return self.transcript.follows(value)

    def interrupted(self, reason: str) -> None:
        """See :class:`Transcript`."""
        self.transcript.add()
