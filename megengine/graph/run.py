"""Cutting: the pending graph is run, once, for everything in it that is still alive.

What is alive is asked of CPython's reference counts: a pending value that only its graph refers to cannot be read any
more, and an input array that only its dead value refers to may be overwritten.

A graph happens whole or not at all. An interrupt leaves it pending, to be run when one of its values is needed next. What the
executable returns is kept by the same call of C code that runs it, so no exception comes between overwritten inputs and the
results that replace them. If it cannot be compiled or run, or is an optimizer's step and is interrupted before it has run,
tensors get back the values from before it.
"""

from __future__ import annotations

import sys
from itertools import starmap
from traceback import clear_frames
from typing import Any

import jax
import numpy as np

from . import record, scopes
from .checks import UNCHECKED_LIMIT, Failed, checked_on_host, note_flags, raise_on_nan, verify
from .counters import counters, counting
from .device import Device
from .differentiate import GradNode, keep
from .forked import refuse
from .host_array import HostArray
from .memory import reserve
from .names import holders
from .options import options
from .program import Key, Program, building, lookup, make
from .recompile import note_program, split
from .record import Graph, count_cut, pack, thread
from .recording import Recording
from .signals import SignalsWait
from .tiers import tier_of
from .together import set_together
from .trie import Call, Node
from .value import Value
from .where import text

SMALL = 1 << 16
WORTH_A_LOOK = 1 << 24  # bytes that are likely to be there
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
INDEXED = LISTED + 1  # by the index of its graph, too
ONLY_ARRAY = _baseline_of_array()


def cut(reason: str = "read", later: bool = False) -> None:
    """Run what this thread has recorded.

    Args:
        reason: what made it necessary; ``counters.cuts`` counts by it.
        later: end the graph here and run it when the next op is recorded or one of its values is needed.

    Example:
        >>> from megengine.graph import counters, cut
        >>> cut()
        >>> before = counters.cuts["mine"]
        >>> y = Tensor([1.0]) + 1
        >>> cut("mine")
        >>> counters.cuts["mine"] - before
        1
    """
    run_ended()
    graph = thread.graph
    if graph.capture is not None and reason == "step":
        graph.capture.stepped()
        return
    if not graph.node.depth:
        return
    if graph.capture is not None:
        graph.capture.interrupted(reason)
    count_cut(reason, graph.node)
    following = Graph(graph.device, graph.tapes, graph.capture)
    if later:
        following.limit = 0
    thread.flushes += 1
    thread.ended, thread.graph = graph, following
    if not later:
        run_ended()


def settle() -> None:
    """Run what is pending before what will repeat, so that the first step is not compiled together with the initialisation."""
    graph = thread.graph
    if graph.capture is None and not graph.tapes:
        cut("settle")


def run_ended() -> None:
    """Run the graph that has ended and has yet to run, if there is one."""
    graph = thread.ended
    if graph is None:
        return
    with graph.lock:
        try:
            _run(graph)
        finally:
            if not graph.index or graph.error is not None:
                thread.ended = None
                if thread.graph.limit == 0:
                    thread.graph.reset_limit()
    if thread.unchecked and (graph.stepped or options.eager or len(thread.unchecked) > UNCHECKED_LIMIT):
        verify()


def _run(graph: Graph) -> None:
    """Execute a finished graph and give its living values their arrays."""
    if not graph.results:
        try:
            _execute(graph)
        except BaseException as error:
            clear_frames(error.__traceback__)  # they refer to the values, which would seem alive
            if graph.results:
                _deliver(graph)
            elif graph.stepped or isinstance(error, Exception):
                _abandon(graph, error)
            raise
    _deliver(graph)


def _execute(graph: Graph) -> None:
    graph.work = None
    if record.forked:
        refuse()
    if not graph.is_whole():
        raise RuntimeError("an interrupt left an op half recorded; what had been recorded before it cannot be run")
    node = graph.node
    nodes = _living_nodes(graph)
    values = list(graph.index)
    alive = [_refs(v) > INDEXED for v in values]
    live = tuple([k for k, a in enumerate(alive) if a and values[k].array is None])
    positions = node.input_positions()
    may_donate = None if graph.capture is None else graph.capture.inputs(values, positions)
    donate = tuple(
        [
            k
            for k, (p, _) in enumerate(positions)
            if not alive[p] and (may_donate is None or k in may_donate) and _refs(values[p].array) <= ONLY_ARRAY
        ]
    )
    trusted = checked_on_host(graph, values) if node.checks else ()
    in_graph = options.check_nan or (node.checks and len(trusted) < len(node.checked()))
    guards = _guards(graph, values) if in_graph else ()
    key = Key(live, donate, tuple([(n.source, n.mask) for n in nodes]), options.check_nan, guards, trusted)
    program = _program(graph, node, key, values)
    program.prepare(tier_of(graph.device))
    if program.interpreted:
        inputs = [_anywhere(values[p]) for p in program.inputs]
    else:
        inputs = [on_device(values[p], alive[p]) for p in program.inputs]
        for k in program.donated:
            if isinstance(inputs[k], np.ndarray):
                inputs[k] = jax.device_put(inputs[k])
    if graph.capture is not None:
        graph.capture.ran(graph, program, values)
    graph.work = program, values, nodes, inputs
    arguments = [*pack(graph), *inputs]
    protect(program, arguments, graph.device)
    with SignalsWait(program.interpreted):
        graph.results.extend(starmap(program.run, (arguments,)))  # one call of C code, which no interrupt divides


def _program(graph: Graph, node: Node, key: Key, values: list[Value]) -> Program:
    """The program of this structure and key, made if there is none; two threads do not make it twice."""
    program = lookup(node, key)
    if program is None:
        with building:
            program = lookup(node, key)
            if program is None:
                recording = _recording(graph, node, values)
                reason = note_program(graph, node, key, recording)
                program = make(node, key, recording)
                program.reason = reason
                return program
    with counting:
        counters.hits += 1
        program.hits += 1
    return program


def _recording(graph: Graph, node: Node, values: list[Value]) -> Recording:
    inputs = holders(values, [p for p, _ in node.input_positions()], list(graph.rebound.values()))
    return Recording(tuple(graph.where[: node.depth]), inputs, tuple(graph.scopes or ()))


def protect(program: Program, arguments: list[Any], device: Device) -> None:
    """Make sure that a failure loses none of the arguments that a program is about to overwrite.

    Its first run goes through Python, compiles, and may not fit into memory: it is given copies.

    Raises:
        MemoryError: a later run has no room.
    """
    if not program.donated or program.interpreted:
        return
    if not program.proven:
        for k in program.donated:
            arguments[k + program.offset] = _copied(arguments[k + program.offset], device)
    elif program.needs > WORTH_A_LOOK:
        reserve(program.needs, device.jax_device)


def _copied(array: Any, device: Device) -> Any:
    if array.device.platform == "cpu":
        # One that were bound to the default device would have the program compiled for that once more.
        return jax.device_put(np.array(array), None if device.is_default else array.sharding)
    return array.copy()


def _guards(graph: Graph, values: list[Value]) -> tuple[Any, ...]:
    """Positions of the new and the old value of each tensor that has to stay as it was if an op gets values it does not take."""
    pairs = []
    for reference, old, _, _ in graph.rebound.values():
        handle = reference()
        if handle is None or not isinstance(old, int) or handle._value.graph is not graph:
            continue
        new = graph.index.get(handle._value)
        if new is not None and values[old].aval is handle._value.aval:
            pairs.append((new, old))
    return graph.stepped, *pairs


def _living_nodes(graph: Graph) -> list[GradNode]:
    """Gradient nodes of this graph that a recording still needs; the others let go of what they hold."""
    if not graph.nodes:
        return []
    for node in graph.nodes:
        if not node.live():
            node.clear()
    del node
    changed = True
    while changed:
        # A dropped node may have been the last to refer to its parents.
        before = len(graph.nodes)
        graph.nodes = [node for node in graph.nodes if _refs(node) > LISTED and node.live()]
        changed = 0 < len(graph.nodes) < before
    return list(graph.nodes)


def _anywhere(value: Value) -> Any:
    """An input's array, wherever it is."""
    if value.array is None:
        materialise(value)  # raises: it was found to depend on a bad value since this graph bound it
    return value.array


def on_device(value: Value, alive: bool) -> Any:
    """An input's array; one on the host moves to the device for good when it goes on being used.

    A batch is used once or twice, and a program takes host arrays faster than they can be moved before it.
    """
    array = _anywhere(value)
    if not isinstance(array, np.ndarray):
        return array
    if type(array) is HostArray:
        array = array.view(np.ndarray)
        if alive:
            array = value.array = jax.device_put(array, None if value.device.is_default else value.device.jax_device)
            return array
    if not value.device.is_default:
        array = value.array = jax.device_put(array, value.device.jax_device)
    elif alive:
        value.uses = uses = getattr(value, "uses", 0) + 1
        if uses > (1 if array.nbytes > SMALL else 2):
            array = value.array = jax.device_put(array)
    return array


def _deliver(graph: Graph) -> None:
    """Hand out the results; done again from the start if an exception came between."""
    program, values, nodes, inputs = graph.work
    outs = graph.results[0]
    living = [values[p] for p in program.live]
    for value, array in zip(living, outs[program.leading :], strict=False):
        value.array = array
        value.graph = None
    for node, (pullback, sources) in zip(nodes, program.pullbacks, strict=True):
        keep(node, pullback, [inputs[k] if side == "in" else outs[k] for side, k in sources], graph.device)
    with counting:
        counters.bytes_donated += program.donated_bytes
    if program.checked:
        note_flags(outs[program.leading - 1], program, [graph.where[n] for n in program.checked], living)
    recording = _recording(graph, program.node, values) if thread.watchers else None
    graph.index.clear()  # the results are handed out from here on, whatever comes
    graph.work = None
    graph.results = []
    graph.nodes = []
    graph.rebound = {}
    for watcher in thread.watchers:
        watcher.add(program, recording)
    if program.key.check_nan:
        raise_on_nan(graph, program, np.asarray(outs[0]))


def _abandon(graph: Graph, error: BaseException) -> None:
    """A graph could not be compiled or run: tensors from before it are as they were, its other values are computed when read."""
    graph.work = None
    graph.error = error
    if isinstance(error, Exception):
        error.add_note(_about(graph))
    held = [(reference(), *before) for reference, *before in graph.rebound.values()]
    graph.rebound = {}
    held = [entry for entry in held if entry[0] is not None and entry[0]._value.graph is graph]
    whole = graph.is_whole()
    if whole and not graph.stepped and held and _computed_alone(graph, [handle._value for handle, *_ in held]):
        return
    values = list(graph.index)
    if not whole:
        graph.index.clear()
    for handle, old, node, slot in held:
        value = values[old] if isinstance(old, int) else old
        set_together(((handle, "_slot", slot), (handle, "_node", node), (handle, "_value", value)))


def _computed_alone(graph: Graph, wanted: list[Value]) -> bool:
    """Give these values of an abandoned graph their arrays, if what they depend on can be computed."""
    try:
        _compute(graph, wanted)
    except Exception as error:
        graph.error = error
        return False
    return True


def full_sync() -> None:
    """Run what is pending in this thread and wait for every device to be done, as timings need it.

    Raises:
        BadIndexError: an op got values it does not take.
    """
    cut("option")
    jax.block_until_ready(jax.live_arrays())
    verify(wait=True)


def _about(graph: Graph) -> str:
    first, last = text(graph.where[0]), text(graph.where[-1])
    names = [n.call.signature.op.name for n in graph.node.path() if isinstance(n.call, Call)]
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"while running {len(graph.where)} ops recorded from {first} to {last}: {shown}"


def materialise(value: Value) -> None:
    """Give a value its array.

    Raises:
        RuntimeError: what it depends on cannot be computed; the reason is its cause.
    """
    if value.array is not None:
        return
    graph = value.graph
    if graph is thread.graph:
        cut("read")
    elif graph is not None and graph is thread.ended:
        run_ended()
    elif isinstance(graph, Graph):
        materialise_together(graph, [value], others=graph.asked and graph.error is None)
        graph.asked = True
        verify()
    if value.array is None:
        error = value.graph.error if value.graph is not None else None
        if isinstance(value.graph, Failed):
            raise value.graph.error
        why = "" if error is None else f": {error}"
        raise RuntimeError(f"this tensor has no value, since the graph it was recorded in failed{why}") from error


def materialise_together(graph: Graph, values: list[Value], others: bool = False) -> None:
    """Give values of a graph that another thread records their arrays, by one program.

    Args:
        graph: the graph.
        values: the values.
        others: all others that are alive, too: who asks one by one may ask for many.
    """
    with graph.lock:
        if others:
            count = graph.node.count
            recorded = list(graph.index)[:count]
            values = [v for v in recorded if _refs(v) > INDEXED]
        wanted = [v for v in values if v.array is None and v in graph.index]
        if wanted:
            _compute(graph, wanted)


def _compute(graph: Graph, wanted: list[Value]) -> None:
    """Compute some values of a graph that another thread records, or that could not be run as a whole, without disturbing it."""
    if record.forked:
        refuse()
    node, values = graph.node, list(graph.index)
    position = {value: k for k, value in enumerate(values)}
    key = Key(tuple(sorted(position[v] for v in wanted)), check_nan=options.check_nan)
    program = lookup(node, key) or make(node, key, _recording(graph, node, values))
    snapshot = Graph(graph.device)
    snapshot.floats, snapshot.ints = graph.floats[: node.floats], graph.ints[: node.ints]
    program.prepare(tier_of(graph.device))
    inputs = [values[p].array if program.interpreted else on_device(values[p], True) for p in program.inputs]
    if graph.error is None:
        with counting:
            counters.cuts["thread"] += 1
    with SignalsWait(program.interpreted):
        outs = program.run(*pack(snapshot), *inputs)
    made = [values[p] for p in program.live]
    if program.checked:
        note_flags(outs[program.leading - 1], program, [graph.where[n] for n in program.checked], made)
    for value, array in zip(made, outs[program.leading :], strict=True):
        if value.array is None:
            value.array = array
    if program.key.check_nan:
        raise_on_nan(graph, program, np.asarray(outs[0]))


def _at_limit(graph: Graph) -> None:
    depth = graph.node.depth
    if thread.ended is not None:
        run_ended()
        if depth < graph.limit:
            return
    if options.eager:
        cut("eager")
    elif depth >= options.pending_limit:
        if thread.undo is None:
            cut("limit")
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
