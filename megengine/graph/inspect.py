"""Looking at graphs: as recorded, as lowered, as compiled, and as data for a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import scopes
from .program import Program
from .record import Graph, thread
from .structure import Instr, Pull
from .where import text


class Ran:
    """One graph that was run: its program, and where its ops were recorded."""

    def __init__(self, graph: Graph, program: Program) -> None:
        self.program = program
        self.where = [text(w) for w in graph.where]
        self.scopes = list(graph.scopes or [()] * len(graph.where))

    def recorded(self) -> str:
        """The ops as recorded, one a line: result, op, operands, line of the user's program."""
        lines = [f"%{p}: {a!r} = input" for p, a in self.program.state.input_positions()]
        for step, where in zip(self.program.state.path(), self.where, strict=True):
            instr = step.instr
            outs = ", ".join(f"%{instr.start + k}: {a!r}" for k, a in enumerate(instr.avals))
            lines.append(f"{outs} = {_call_text(instr)}    # {where}")
        lines.append("return " + ", ".join(f"%{p}" for p in self.program.live))
        return "\n".join(lines)

    def lowered(self) -> str:
        """The program given to XLA, as StableHLO."""
        return str(self.program.jitted.lower(*self.program.abstract_args()).as_text())

    def compiled(self) -> str:
        """The program after XLA's optimisations, as HLO."""
        return str(self.program.jitted.lower(*self.program.abstract_args()).compile().as_text())

    def picture(self) -> dict[str, Any]:
        """Nodes of the graph with op, shape, dtype, source line, module scope and inputs, ready for JSON."""
        nodes: list[dict[str, Any]] = []
        producer: dict[int, int] = {}

        def add(op: str, aval: Any, kind: str, where: str, scope: tuple[str, ...], inputs: list[int]) -> int:
            number = len(nodes)
            nodes.append(
                {
                    "id": number,
                    "op": op,
                    "shape": list(aval.shape),
                    "dtype": aval.dtype.name,
                    "where": where,
                    "scope": list(scope),
                    "inputs": sorted(set(inputs)),
                    "kind": kind,
                    "name": op,
                }
            )
            return number

        for position, a in self.program.state.input_positions():
            producer[position] = add("input", a, "input", "", (), [])
        steps = self.program.state.path()
        for step, where, scope in zip(steps, self.where, self.scopes, strict=True):
            instr = step.instr
            if isinstance(instr, Pull):
                source = steps[instr.source].instr
                used = [producer[c] for c in instr.cots if c is not None] + [producer[source.start]]
                name, kind = f"{source.op.name}.grad", "gradient"
            else:
                used = [producer[o] for o in instr.operands if isinstance(o, int)]
                name, kind = instr.op.name, "gradient" if instr.op.name.endswith(".grad") else "op"
            number = add(name, instr.avals[0], kind, where, scope, used)
            producer.update((instr.start + k, number) for k in range(len(instr.avals)))
        for position in self.program.live:
            if nodes[producer[position]]["kind"] == "op":
                nodes[producer[position]]["kind"] = "output"
        stats = {
            "ops": len(steps),
            "inputs": len(self.program.inputs),
            "outputs": len(self.program.live),
            "donated": len(self.program.donated),
        }
        return {"nodes": nodes, "stats": stats}


def _call_text(instr: Instr | Pull) -> str:
    if isinstance(instr, Pull):
        cots = ", ".join("0" if c is None else f"%{c}" for c in instr.cots)
        return (
            f"gradient of op {instr.source} ({cots}) for operands {', '.join(str(instr.mask[k]) for k in instr.need)}"
        )
    operands = ", ".join(f"%{o}" if isinstance(o, int) else f"{o[0]}{o[1]}" for o in instr.operands)
    settings = "".join(f", {n}={v!r}" for n, v in zip(instr.op.attrs, instr.attrs, strict=True))
    return f"{instr.op.name}({operands}{settings})"


class Watch:
    """The graphs that ran inside a :func:`watch` block, in order."""

    def __init__(self) -> None:
        self.ran: list[Ran] = []

    def add(self, graph: Graph, program: Program) -> None:
        """Called by the engine after each cut."""
        self.ran.append(Ran(graph, program))

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
        %1: float32[2] = mul(%0, i0)    # ...
        return %1
    """
    from .run import cut

    cut("option")
    watcher = Watch()
    thread.watchers.append(watcher)
    scopes.watch()
    thread.graph = Graph(thread.graph.device, thread.graph.tapes)
    try:
        yield watcher
        cut("option")
    finally:
        thread.watchers.remove(watcher)
        scopes.unwatch()
        if not thread.watchers:
            thread.graph.scopes = None
