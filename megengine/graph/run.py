"""Cutting: the pending graph is run, once, for everything in it that is still alive.

What is alive is asked of CPython's reference counts: a pending value that only its graph refers to cannot be read any
more, and an input array that only its dead value refers to may be overwritten.
"""

from __future__ import annotations

import sys
from typing import Any

import jax
import numpy as np

from . import record, scopes
from .counters import counters
from .differentiate import GradNode, keep
from .errors import BadIndexError
from .options import options
from .program import Program, build, lookup
from .recompile import churns, note_compilation, split
from .record import Graph, count_ops, pack, thread
from .structure import ROOT
from .value import Value
from .where import Where, text

UNCHECKED_LIMIT = 256
SMALL = 1 << 16
_NATURAL = ("read", "step", "option", "trace", "settle")
_refs = sys.getrefcount


def _baseline_of_listed() -> int:
    """Reference count, as the loops below see it, of an object that only a list refers to."""
    items = [Value(None, None, None, None)]  # type: ignore[arg-type]
    return [_refs(v) for v in items][0]


def _baseline_of_array() -> int:
    """The same for an array that only its value refers to."""
    items = [Value(None, None, object(), None)]  # type: ignore[arg-type]
    return [_refs(v.array) for v in items][0]


LISTED = _baseline_of_listed()
ONLY_ARRAY = _baseline_of_array()


def cut(reason: str = "read", later: bool = False) -> None:
    """Run what this thread has recorded.

    Args:
        reason: what made it necessary; ``counters.cuts`` counts by it.
        later: end the graph here and run it when one of its values is needed or this is called again.
    """
    run_ended()
    graph = thread.graph
    if graph.capture is not None and reason == "step":
        graph.capture.stepped()
        return
    natural = reason in _NATURAL
    if graph.state is ROOT:
        if natural and graph.op_by_op:
            graph.op_by_op = False
            graph.reset_limit()
        return
    if graph.capture is not None:
        graph.capture.interrupted(reason)
    thread.graph = Graph(graph.device, graph.tapes, graph.op_by_op and not natural, graph.capture)
    counters.cuts[reason] += 1
    count_ops(graph.state)
    if later:
        thread.ended = graph
        return
    with graph.lock:
        run(graph)


def settle() -> None:
    """Run what is pending before what will repeat, so that the first step is not compiled together with the initialisation."""
    graph = thread.graph
    if graph.capture is None and not graph.tapes:
        cut("settle")


def run_ended() -> None:
    """Run the graph that was ended to be run later, if there is one."""
    graph, thread.ended = thread.ended, None
    if graph is not None:
        with graph.lock:
            run(graph)


def run(graph: Graph) -> Program:
    """Execute a finished graph and give its living values their arrays."""
    state = graph.state
    nodes = _living_nodes(graph)
    values = list(graph.index)
    graph.index.clear()  # emptied, not replaced: the frame of an op that reached the limit still holds it
    alive = [_refs(v) > LISTED for v in values]
    live = tuple([k for k, a in enumerate(alive) if a and values[k].array is None])
    positions = state.input_positions()
    may_donate = None if graph.capture is None else graph.capture.inputs(values, positions)
    donate = tuple(
        [
            k
            for k, (p, _) in enumerate(positions)
            if not alive[p] and (may_donate is None or k in may_donate) and _refs(values[p].array) <= ONLY_ARRAY
        ]
    )
    key = (live, donate, tuple([(n.source, n.mask) for n in nodes]), options.check_nan)
    program = lookup(state, key)
    if program is None:
        note_compilation(graph, state, key)
        program = build(state, key)
    else:
        counters.hits += 1
        program.hits += 1
    inputs = [_on_device(values[p], alive[p]) for p in program.inputs]
    for k in program.donated:
        if isinstance(inputs[k], np.ndarray):
            inputs[k] = jax.device_put(inputs[k])
    if graph.capture is not None:
        graph.capture.ran(graph, program, values)
    try:
        outs = program.run(*pack(graph), *inputs)
    except Exception as error:
        graph.error = error
        error.add_note(_about(graph))
        raise
    counters.bytes_donated += program.donated_bytes
    _deliver(graph, program, values, nodes, inputs, outs)
    for watcher in thread.watchers:
        watcher.add(graph, program)
    return program


def _living_nodes(graph: Graph) -> list[GradNode]:
    """Gradient nodes of this graph that a recording still needs; the others let go of what they hold."""
    if not graph.nodes:
        return []
    for _, node in graph.nodes:
        if not node.live():
            node.clear()
    nodes = [pair[1] for pair in graph.nodes]
    graph.nodes = []
    del node
    changed = True
    while changed:
        # A dropped node may have been the last to refer to its parents.
        before = len(nodes)
        nodes = [node for node in nodes if _refs(node) > LISTED and node.live()] if before else []
        changed = len(nodes) < before
    return nodes


def _on_device(value: Value, alive: bool) -> Any:
    """An input's array; one on the host moves to the device for good when it goes on being used.

    A batch is used once or twice, and a program takes host arrays faster than they can be moved before it.
    """
    array = value.array
    if type(array) is not np.ndarray:
        return array
    if not value.device.is_default:
        array = value.array = jax.device_put(array, value.device.jax_device)
    elif alive:
        value.uses = uses = getattr(value, "uses", 0) + 1
        if uses > (1 if array.nbytes > SMALL else 2):
            array = value.array = jax.device_put(array)
    return array


def _deliver(
    graph: Graph, program: Program, values: list[Value], nodes: list[GradNode], inputs: list[Any], outs: list[Any]
) -> None:
    if program.checked:
        note_flags(outs[program.leading - 1], program, [graph.where[n] for n in program.checked])
    for position, array in zip(program.live, outs[program.leading :], strict=False):
        value = values[position]
        value.array = array
        value.graph = None
    if program.check_nan:
        _raise_on_nan(graph, program, np.asarray(outs[0]))
    for node, (pullback, sources) in zip(nodes, program.pullbacks, strict=True):
        keep(node, pullback, [inputs[k] if side == "in" else outs[k] for side, k in sources], graph.device)


def _raise_on_nan(graph: Graph, program: Program, flags: np.ndarray) -> None:
    if not flags.any():
        return
    first, inputs = int(flags.argmax()), len(program.inputs)
    if first >= inputs:
        number = first - inputs
        instr = program.state.path()[number].instr
        name = (
            instr.op.name if hasattr(instr, "op") else "gradient of " + program.state.path()[instr.source].instr.op.name
        )
        raise FloatingPointError(
            f"{name} at {text(graph.where[number])} gave NaN ({', '.join(map(repr, instr.avals))})"
        )
    position = program.inputs[first]
    number = next(k for k, s in enumerate(program.state.path()) if s.parent is not None and position < s.count)
    op = program.state.path()[number].instr.op.name
    raise FloatingPointError(
        f"an input {program.input_avals[first]!r} of {op} at {text(graph.where[number])} holds NaN"
    )


def note_flags(flags: Any, program: Program, where: list[Where]) -> None:
    """Remember to look whether a program's ops got values they take."""
    thread.unchecked.append((flags, program, where))
    if options.eager or len(thread.unchecked) > UNCHECKED_LIMIT:
        verify(wait=True)


def full_sync() -> None:
    """Run what is pending in this thread and wait for every device to be done, as timings need it.

    Raises:
        BadIndexError: an op got values it does not take.
    """
    cut("option")
    jax.block_until_ready(jax.live_arrays())
    verify(wait=True)


def verify(wait: bool = False) -> None:
    """Raise if an op of a program that finished got values it does not take.

    Args:
        wait: look at programs that still run, too.

    Raises:
        BadIndexError: naming the op and its line.
    """
    later, found = [], None
    for entry in thread.unchecked:
        flags, program, where = entry
        if not wait and not flags.is_ready():
            later.append(entry)
        elif found is None and b"\0" in np.asarray(flags).tobytes():
            first = int(np.asarray(flags).argmin())
            instr = program.state.path()[program.checked[first]].instr
            what = instr.op.invalid.format(**dict(zip(instr.op.attrs, instr.attrs, strict=True)))
            found = f"{instr.op.name} at {text(where[first])}: {what}"
    thread.unchecked = later
    if found is not None:
        raise BadIndexError(found)


def _about(graph: Graph) -> str:
    first, last = text(graph.where[0]), text(graph.where[-1])
    names = [s.instr.op.name for s in graph.state.path() if hasattr(s.instr, "op")]
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"while running {len(graph.where)} ops recorded from {first} to {last}: {shown}"


def materialise(value: Value) -> None:
    """Give a value its array."""
    if value.array is not None:
        return
    graph = value.graph
    if graph is thread.graph:
        cut("read")
    elif graph is not None and graph is thread.ended:
        run_ended()
    elif graph is not None and graph.error is None:
        with graph.lock:
            _compute_for_other_thread(graph, value)
    if value.array is None:
        why = "" if graph is None or graph.error is None else f": {graph.error}"
        raise RuntimeError(f"this tensor has no value, since the graph it was recorded in failed{why}") from (
            graph.error if graph is not None else None
        )


def _compute_for_other_thread(graph: Graph, value: Value) -> None:
    """Compute one value of a graph that another thread is recording, without disturbing it."""
    state, values = graph.state, list(graph.index)
    if value.array is not None or value not in values:
        return
    key = ((values.index(value),), (), (), False)
    program = lookup(state, key) or build(state, key)
    snapshot = Graph(graph.device)
    snapshot.floats, snapshot.ints = graph.floats[: state.floats], graph.ints[: state.ints]
    inputs = [values[p].array for p in program.inputs]
    counters.cuts["thread"] += 1
    array = program.run(*pack(snapshot), *inputs)[program.leading]
    if value.array is None:
        value.array = array


def _at_limit(graph: Graph) -> None:
    depth = graph.state.depth
    if options.eager:
        cut("eager")
    elif graph.op_by_op:
        cut("churn")
    elif depth >= options.pending_limit:
        cut("limit")
    elif churns(graph.where[0]):
        graph.op_by_op = True
        cut("churn")
    else:
        end = split(graph.where[0]) if graph.capture is None else None
        if end is not None and depth >= end:
            cut("split")
        else:
            graph.limit = min(end or options.pending_limit, options.pending_limit)


record.materialise = materialise
record.cut_at_limit = _at_limit
record.cut = cut
record.run_ended = run_ended
record.current_scope = scopes.current
