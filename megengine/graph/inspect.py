"""Looking at graphs: as recorded, as lowered, as compiled, and as data for a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from . import scopes
from .ir import Function, Var, VjpEquation
from .program import Program
from .recorder import Recorder, thread
from .recording import Recording


class Ran:
    """One graph that was run.

    Attributes:
        program: what ran it.
        function: what was recorded, before any pass: with names, source lines and module scopes.
    """

    def __init__(self, program: Program, recording: Recording) -> None:
        self.program = program
        self.function = recording.function(program.node, program.live, program.key.residuals)

    def recorded(self) -> str:
        """The ops as recorded, one a line: result, op, operands, line of the user's program."""
        return str(self.function)

    def lowered(self) -> str:
        """The program given to XLA, as StableHLO."""
        return str(self.program.jitted.lower(*self.program.abstract_args()).as_text())

    def compiled(self) -> str:
        """The program after XLA's optimisations, as HLO."""
        return str(self.program.jitted.lower(*self.program.abstract_args()).compile().as_text())

    def picture(self) -> dict[str, Any]:
        """Nodes of the graph with op, shape, dtype, source line, module scope and inputs, ready for JSON."""
        stats = {
            "ops": len(self.function.equations),
            "inputs": len(self.function.inputs),
            "outputs": len(self.function.outputs),
            "donated": len(self.program.donated),
        }
        return {"nodes": nodes(self.function), "stats": stats}


def nodes(function: Function) -> list[dict[str, Any]]:
    """A node for each input and equation of a function."""
    made: list[dict[str, Any]] = []
    producer: dict[Var, int] = {}

    def add(outputs: Sequence[Var], reads: Iterable[Var], **about: Any) -> None:
        number, aval = len(made), outputs[0].aval
        producer.update(dict.fromkeys(outputs, number))
        inputs = sorted({producer[v] for v in reads})
        shown = {"id": number, "shape": list(aval.shape), "dtype": aval.dtype.name, "inputs": inputs}
        made.append({"where": "", "scope": [], **shown, **about})

    for var in function.inputs:
        add((var,), (), op="input", kind="input", name=var.name or "input")
    for equation in function.equations:
        if isinstance(equation, VjpEquation):
            reads: Iterable[Var] = (*equation.reads(), equation.of.outputs[0])
            op, kind = f"{equation.of.name}.grad", "gradient"
        else:
            reads, op = equation.reads(), equation.name
            kind = "gradient" if op.endswith(".grad") else "op"
        where = {"where": equation.source, "scope": list(equation.scope)}
        add(equation.outputs, reads, op=op, kind=kind, name=op, **where)
    for var in function.outputs:
        if made[producer[var]]["kind"] == "op":
            made[producer[var]]["kind"] = "output"
    return made


class Watch:
    """The graphs that ran inside a :func:`watch` block, in order."""

    def __init__(self) -> None:
        self.ran: list[Ran] = []

    def add(self, program: Program, recording: Recording) -> None:
        """Called by the engine after each flush."""
        self.ran.append(Ran(program, recording))

    def __len__(self) -> int:
        return len(self.ran)

    def __getitem__(self, k: int) -> Ran:
        return self.ran[k]


@contextmanager
def watch() -> Iterator[Watch]:
    """Collect the graphs that this thread runs inside the ``with`` block.

    Each has ``recorded()``, ``lowered()`` and ``compiled()`` as text, and ``picture()`` as data.

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
    watcher = Watch()
    thread.watchers.append(watcher)
    scopes.watch()
    thread.recorder = Recorder(thread.recorder.device, thread.recorder.tapes)
    try:
        yield watcher
        flush("option")
    finally:
        thread.watchers.remove(watcher)
        scopes.unwatch()
        if not thread.watchers:
            thread.recorder.scopes = None
