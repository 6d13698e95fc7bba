"""Looking at graphs: as recorded, as lowered, as compiled, and as data for a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

from . import scopes
from .ir import Function
from .pictures.shown import Shown
from .pictures.tables import count
from .program import Program
from .recompile import difference as differs
from .recorder import Recorder, thread
from .recording import Recording
from .value import Value

if TYPE_CHECKING:
    from .pictures.difference import Difference
    from .pictures.picture import Picture
    from .pictures.timing import Timing

RUNS = 10


class Ran(Shown):
    """One graph that was run.

    Attributes:
        program: what ran it.
        function: what was recorded, before any pass: with names, source lines and module scopes.
        number: which of the watched graphs it is.
    """

    def __init__(self, program: Program, recording: Recording, number: int = 0) -> None:
        self.program = program
        self._recording = recording
        self.function = recording.function(program.node, program.live, program.key.residuals)
        self.number = number
        self._timing: Timing | None = None

    def recorded(self) -> str:
        """The ops as recorded, one a line: result, op, operands, line of the user's program."""
        return str(self.function)

    def recorded_up_to(self, position: int) -> Function:
        """What was recorded, returning only the value at a position."""
        return self._recording.function(self.program.node, (position,))

    def lowered(self) -> str:
        """The program given to XLA, as StableHLO."""
        return str(self.program.jitted.lower(*self.program.abstract_args()).as_text())

    def compiled(self) -> str:
        """The program after XLA's optimisations, as HLO."""
        return str(self.program.jitted.lower(*self.program.abstract_args()).compile().as_text())

    @cached_property
    def title(self) -> str:
        """Its number and the lines between which it was recorded."""
        places = [e.source for e in self.function.equations if e.source]
        if not places:
            return f"graph {self.number}"
        first, last = (place.rpartition("/")[2] for place in (places[0], places[-1]))
        return f"graph {self.number}: {first}" + (f" to {last}" if last != first else "")

    def picture(self) -> Picture:
        """The graph as something to see, with times if it was measured."""
        from .pictures.picture import Picture

        return Picture(self.function, self.title, self._timing and self._timing.seconds, held=True)

    def measure(self, runs: int = RUNS) -> Timing:
        """Time each operation: the graph is compiled once more and runs on made-up numbers, which nothing else sees.

        Args:
            runs: how often. Default: 10

        Returns:
            ``seconds`` of each equation, of ``other`` kernels such as copies, and of the ``whole``.
        """
        from .pictures.nodes import flops_of
        from .pictures.timing import measure

        flops = dict(zip(self.function.equations, flops_of(self.function), strict=True))
        self._timing = measure(self.function, flops, runs)
        return self._timing

    def table(self, by: str = "op", top: int = 20) -> str:
        """Where the time goes; see :meth:`megengine.graph.pictures.picture.Picture.table`."""
        return self.picture().table(by, top)

    def _pictures(self) -> Sequence[Picture]:
        return [self.picture()]

    def __repr__(self) -> str:
        function = self.function
        sizes = {"operation": function.equations, "input": function.inputs, "result": function.outputs}
        return f"<{self.title}: {', '.join(count(len(several), what) for what, several in sizes.items())}>"


def difference(before: Ran, after: Ran) -> Difference:
    """What differs between two graphs that ran, and why the second one was compiled, if it was.

    Example:
        >>> with megengine.graph.watch() as seen:
        ...     for size in 2, 3:
        ...         y = (Tensor(np.ones(size)) * 2).numpy()
        >>> print(megengine.graph.difference(seen[0], seen[1]))  # doctest: +ELLIPSIS
        compiled again, since op 0 (mul) meets shape (3,), was (2,)
        - %1: float32[2] = mul(%0, i0 as float32)    # ...
        + %1: float32[3] = mul(%0, i0 as float32)    # ...
    """
    from .pictures.difference import Difference

    reason = "the same program ran both"
    if before.program is not after.program:
        words = differs(before.function, before.program.key, after.function, after.program.key)
        reason = f"compiled again, since {words}"
    return Difference(before.function, after.function, reason, f"graphs {before.number} and {after.number}")


class Watch(Shown):
    """The graphs that ran inside a :func:`watch` block, in order; those of one program are shown once."""

    def __init__(self, once: bool = False) -> None:
        self.ran: list[Ran] = []
        self.made: WeakKeyDictionary[Value, tuple[Ran, int]] = WeakKeyDictionary()
        self._once = once
        self._counts: Counter[Program] = Counter()
        _watches.add(self)

    def add(self, program: Program, recording: Recording, values: Sequence[Value]) -> None:
        """Called by the engine after each flush, with the graph's values by position."""
        self._counts[program] += 1
        if self._once and self._counts[program] > 1:
            return
        ran = Ran(program, recording, len(self.ran))
        self.ran.append(ran)
        self.made.update((values[p], (ran, p)) for p in program.live)

    def __len__(self) -> int:
        return len(self.ran)

    def __getitem__(self, k: int) -> Ran:
        return self.ran[k]

    def distinct(self) -> list[tuple[Ran, int]]:
        """One graph of each program, and how often that ran, in the order in which they ran first."""
        first: dict[Program, Ran] = {}
        for ran in self.ran:
            first.setdefault(ran.program, ran)
        return [(ran, self._counts[program]) for program, ran in first.items()]

    def _pictures(self) -> Sequence[Picture]:
        return [ran.picture() for ran, _ in self.distinct()]

    def _title(self) -> str:
        return count(self._counts.total(), "graph")

    def __repr__(self) -> str:
        distinct = self.distinct()
        lines = [f"<watch of {count(self._counts.total(), 'graph')}, {count(len(distinct), 'program')}>"]
        lines += [f"  {ran!r}{f', ran {count} times' if count > 1 else ''}" for ran, count in distinct]
        return "\n".join(lines)


_watches: WeakSet[Watch] = WeakSet()


def made_by(value: Value) -> tuple[Ran, int] | None:
    """Which of the graphs that someone watched computed a value, and its position there."""
    return next((watch.made[value] for watch in list(_watches) if value in watch.made), None)


@contextmanager
def watch(once: bool = False) -> Iterator[Watch]:
    """Collect the graphs that this thread runs inside the ``with`` block.

    Each has ``recorded()``, ``lowered()`` and ``compiled()`` as text; all of them, or one, can be shown: ``seen.show()``,
    ``seen[0].save("graph.html")``.

    Args:
        once: keep one graph of each program, and how often it ran, as long programs need it. Default: False

    Example:
        >>> with megengine.graph.watch() as seen:
        ...     y = (megengine.Tensor([1.0, 2.0]) * 2).numpy()
        >>> print(seen[0].recorded())  # doctest: +ELLIPSIS
        %0: float32[2] = input
        %1: float32[2] = mul(%0, i0 as float32)    # ...
        return %1
    """
    from .flushing import flush

    flush("option")
    watcher = Watch(once)
    try:
        thread.watchers.append(watcher)
        scopes.watch(watcher)
        thread.recorder = Recorder(thread.recorder.device, thread.recorder.tapes)
        yield watcher
        flush("option")
    finally:
        try:
            _unwatch(watcher)
        finally:
            _unwatch(watcher)  # an interrupt may have come amid the first


def _unwatch(watcher: Watch) -> None:
    """Once or more often."""
    thread.watchers[:] = [other for other in thread.watchers if other is not watcher]
    scopes.unwatch(watcher)
    if not thread.watchers:
        thread.recorder.scopes = None
