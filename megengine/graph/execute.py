"""How a finished graph is run: the live values of one get their arrays.

A graph happens whole or not at all. An interrupt leaves it pending, to be run when one of its values is needed next. What the
executable returns is kept by the same call of C code that runs it, so no exception comes between overwritten inputs and the
results that replace them. If it cannot be compiled or run, or is an optimizer's step and is interrupted before it has run,
tensors get back the values from before it.
"""

from __future__ import annotations

from functools import partial
from itertools import starmap
from traceback import clear_frames
from typing import Any

import jax
import numpy as np

from . import forked
from .calling import CallingPython
from .checks import Failed, checked_on_host, note_flags, raise_on_nan, verify_before_step
from .counters import counters, counting
from .device import Device
from .errors import as_heard
from .fast_path import remember
from .flights import flown, has_new
from .host_array import HostArray
from .jax_state import restore
from .liveness import are_live, live_nodes, live_values, only_owner
from .located import located
from .memory import WORTH_A_LOOK, reserve
from .names import holders
from .options import options
from .program import Key, Program, building, lookup, make
from .recompile import note_program
from .recorder import Recorder, pack, thread
from .recording import Recording
from .source import text
from .spanning import meet
from .tape import keep
from .tiers import divided, partitions, place_of, tier_of, uncompiled
from .together import set_together
from .trie import Call, Node
from .value import Value

SMALL = 1 << 16


def run(recorder: Recorder) -> None:
    """Execute a finished graph and give its live outputs their arrays."""
    if not recorder.results:
        restore()
        try:
            _execute(recorder)
        except BaseException as raised:
            error = as_heard(raised)
            restore()
            clear_frames(raised.__traceback__)  # they refer to the values, which would seem alive
            if recorder.results:
                _deliver(recorder)
            elif recorder.stepped or recorder.collectives.done or isinstance(error, Exception):
                _abandon(recorder, error)
            if error is raised:
                raise
            raise error from None
    _deliver(recorder)


def _execute(recorder: Recorder) -> None:
    recorder.work = None
    if forked.in_child:
        forked.refuse()
    if not recorder.is_whole():
        raise RuntimeError("an interrupt left an op half recorded; what had been recorded before it cannot be run")
    if recorder.stepped:
        verify_before_step()
    node = recorder.node
    nodes = live_nodes(recorder)
    values = list(recorder.index)
    alive = are_live(values)
    live = tuple([k for k, a in enumerate(alive) if a and values[k].array is None])
    positions = node.input_positions()
    may_donate = None if recorder.capture is None else recorder.capture.inputs(values, positions)
    donate = tuple(
        [
            k
            for k, (p, _) in enumerate(positions)
            if not alive[p] and (may_donate is None or k in may_donate) and only_owner(values[p])
        ]
    )
    trusted = checked_on_host(recorder, values) if node.checks else ()
    in_graph = options.check_nan or (node.checks and len(trusted) < len(node.checked()))
    guards = _guards(recorder, values) if in_graph else ()
    residuals = tuple([(n.number, n.linearised) for n in nodes])
    recompute = recorder.recompute if recorder.nodes or recorder.stepped else None  # there may be gradients
    shardings = divided([values[p].array for p, _ in positions]) if partitions() else ()
    key = Key(
        *(live, donate, residuals, options.check_nan, guards, trusted, place_of(recorder.device), recompute, shardings),
        options.measured,
    )
    program = _program(recorder, node, key, values)
    if len(program.ranks) != len(recorder.collectives):
        raise RuntimeError("an interrupt left a collective half recorded; what had been recorded cannot be run")
    one_by_one = recorder.collectives and has_new(recorder.collectives)
    program.prepare((uncompiled if one_by_one else tier_of)(recorder.device))
    remember(recorder, program)
    if program.interpreted:
        inputs = [_array_of(values[p]) for p in program.inputs]
    else:
        inputs = [on_device(values[p], alive[p]) for p in program.inputs]
        for k in program.overwrites:
            if isinstance(inputs[k], np.ndarray):
                inputs[k] = jax.device_put(inputs[k], None if recorder.device.is_default else program.place)
    if recorder.capture is not None:
        recorder.capture.ran(recorder, program, values)
    recorder.work = program, values, nodes, inputs
    arguments = [*pack(recorder), *inputs]
    protect(program, arguments, recorder.device)
    if program.spans:
        meet(program, arguments)
    try:
        with calling(program, arguments):
            run = flown(recorder.collectives, program.run)
            recorder.results.extend(starmap(run, (arguments,)))  # one call of C code, which no interrupt divides
            if program.calls_python:
                jax.block_until_ready(recorder.results)  # XLA tells that a call failed only when a result is waited for
    except Exception as error:
        named = located(error, program, recorder.sources)
        if named is error:
            raise
        recorder.results.clear()
        raise named from None


def _program(recorder: Recorder, node: Node, key: Key, values: list[Value]) -> Program:
    """The program of this structure and key, made if there is none; two threads do not make it twice."""
    program = lookup(node, key)
    if program is None:
        with building:
            program = lookup(node, key)
            if program is None:
                recording = _recording(recorder, node, values)
                site = note_program(recorder, node, key, recording)
                program = make(node, key, recording)
                program.site, program.reason = site, site.reason
                return program
    with counting:
        counters.hits += 1
        program.hits += 1
    return program


def _recording(recorder: Recorder, node: Node, values: list[Value]) -> Recording:
    inputs = holders(values, [p for p, _ in node.input_positions()], list(recorder.rebound.values()))
    return Recording(tuple(recorder.sources[: node.depth]), inputs, tuple(recorder.scopes or ()))


def protect(program: Program, arguments: list[Any], device: Device) -> None:
    """Make sure that a failure loses none of the arguments that a program is about to overwrite.

    A first run that compiles may fail, or not fit into memory: it is given copies.

    Raises:
        MemoryError: a later run has no room.
    """
    if not program.overwrites:
        return
    if not (program.proven or program.takes_over):
        for k in program.overwrites:
            arguments[k + program.offset] = _copied(arguments[k + program.offset], device)
    elif program.needs > WORTH_A_LOOK:
        reserve(program.needs, device.jax_device)


def calling(program: Program, arguments: list[Any]) -> CallingPython:
    """The context that a program is run in."""
    overwrites, elsewhere = bool(program.overwrites), bool(program.ranks)
    if not overwrites or not (program.proven or program.takes_over):
        return CallingPython(program.calls_python, holds=overwrites and program.spans, elsewhere=elsewhere)
    new = program.unfamiliar(arguments)
    holds = program.takes_over or program.spans or new is not None
    done = None if new is None else partial(program.familiar.add, new)
    return CallingPython(program.calls_python, True, holds, elsewhere, done)


def _copied(array: Any, device: Device) -> Any:
    devices = array.devices()
    if len(devices) == 1 and next(iter(devices)).platform == "cpu":
        # One that were bound to the default device would have the program compiled for that once more.
        return jax.device_put(np.array(array), None if device.is_default else array.sharding)
    return array.copy()


def _guards(recorder: Recorder, values: list[Value]) -> tuple[Any, ...]:
    """Positions of the new and the old value of each tensor that has to stay as it was if an op gets values it does not take."""
    pairs = []
    for reference, old, _, _ in recorder.rebound.values():
        handle = reference()
        if handle is None or not isinstance(old, int) or handle._value.recorder is not recorder:
            continue
        new = recorder.index.get(handle._value)
        if new is not None and values[old].aval is handle._value.aval:
            pairs.append((new, old))
    return recorder.stepped, *pairs


def failure(value: Value) -> BaseException:
    """Why a value cannot be computed."""
    if isinstance(value.recorder, Failed):
        return value.recorder.error
    error = value.recorder.error if value.recorder is not None else None
    why = "" if error is None else f": {error}"
    failed = RuntimeError(f"this tensor has no value, since the graph it was recorded in failed{why}")
    failed.__cause__ = error
    return failed


def _array_of(value: Value) -> Any:
    """An input's array, wherever it is."""
    if value.array is None:
        raise failure(value)  # it was found to depend on a bad value since this graph bound it
    return value.array


def on_device(value: Value, alive: bool) -> Any:
    """An input's array; one on the host moves to the device for good when it goes on being used.

    A batch is used once or twice, and a program takes host arrays faster than they can be moved before it.
    """
    array = _array_of(value)
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


def _deliver(recorder: Recorder) -> None:
    """Hand out the results; done again from the start if an exception came between."""
    program, values, nodes, inputs = recorder.work
    outs = recorder.results[0]
    outputs = [values[p] for p in program.live]
    for value, array in zip(outputs, outs[program.leading :], strict=False):
        value.array = array
        value.recorder = None
    for node, (pullback, sources) in zip(nodes, program.pullbacks, strict=True):
        keep(node, pullback, [inputs[k] if side == "in" else outs[k] for side, k in sources], recorder.device)
    with counting:
        counters.bytes_donated += program.donated_bytes
    if program.checked:
        note_flags(outs[program.leading - 1], program, [recorder.sources[n] for n in program.checked], outputs)
    recording = _recording(recorder, program.node, values) if thread.watchers else None
    recorder.index.clear()  # the results are handed out from here on, whatever comes
    recorder.work = None
    recorder.results = []
    recorder.nodes = []
    recorder.rebound = {}
    for watcher in thread.watchers:
        watcher.add(program, recording, values)
    if program.key.check_nan:
        raise_on_nan(recorder, program, np.asarray(outs[0]))


def _abandon(recorder: Recorder, error: BaseException) -> None:
    """A graph could not be compiled or run: tensors from before it are as they were, its other values are computed when read."""
    recorder.work = None
    recorder.error = error
    if isinstance(error, Exception):
        error.add_note(_about(recorder))
    held = [(reference(), *before) for reference, *before in recorder.rebound.values()]
    recorder.rebound = {}
    held = [entry for entry in held if entry[0] is not None and entry[0]._value.recorder is recorder]
    whole = recorder.is_whole()
    if whole and not recorder.stepped and held and _computed_alone(recorder, [handle._value for handle, *_ in held]):
        return
    values = list(recorder.index)
    if not whole:
        recorder.index.clear()
    for handle, old, node, slot in held:
        value = values[old] if isinstance(old, int) else old
        set_together(((handle, "_slot", slot), (handle, "_node", node), (handle, "_value", value)))


def _computed_alone(recorder: Recorder, wanted: list[Value]) -> bool:
    """Give these values of an abandoned graph their arrays, if what they depend on can be computed."""
    try:
        _compute(recorder, wanted)
    except Exception as error:
        recorder.error = error
        return False
    return True


def _about(recorder: Recorder) -> str:
    first, last = text(recorder.sources[0]), text(recorder.sources[-1])
    names = [n.call.signature.op.name for n in recorder.node.path() if isinstance(n.call, Call)]
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"while running {len(recorder.sources)} ops recorded from {first} to {last}: {shown}"


def evaluate_together(recorder: Recorder, values: list[Value], others: bool = False) -> None:
    """Give values of a graph that another thread records their arrays, by one program.

    Args:
        recorder: what holds the graph.
        values: the values.
        others: all others that are alive, too: who asks one by one may ask for many.
    """
    with recorder.lock:
        if others:
            values = live_values(recorder)
        wanted = [v for v in values if v.array is None and v in recorder.index]
        if wanted:
            _compute(recorder, wanted)


def _compute(recorder: Recorder, wanted: list[Value]) -> None:
    """Compute some values of a graph that another thread records, or that could not be run as a whole, without disturbing it."""
    if forked.in_child:
        forked.refuse()
    node, values = recorder.node, list(recorder.index)
    position = {value: k for k, value in enumerate(values)}
    key = Key(
        tuple(sorted(position[v] for v in wanted)),
        check_nan=options.check_nan,
        place=place_of(recorder.device),
        divided=divided([values[p].array for p, _ in node.input_positions()]),
        measured=options.measured,
    )
    program = lookup(node, key) or make(node, key, _recording(recorder, node, values))
    if program.ranks:
        raise recorder.error or RuntimeError(
            "it comes from a collective that another thread has recorded and that has not begun: read it there first"
        )
    snapshot = Recorder(recorder.device)
    snapshot.floats, snapshot.ints = recorder.floats[: node.floats], recorder.ints[: node.ints]
    program.prepare(tier_of(recorder.device))
    inputs = [values[p].array if program.interpreted else on_device(values[p], True) for p in program.inputs]
    if recorder.error is None:
        with counting:
            counters.flushes["thread"] += 1
    arguments = [*pack(snapshot), *inputs]
    if program.spans:
        meet(program, arguments)
    try:
        with CallingPython(program.calls_python):
            outs = program.run(*arguments)
            if program.calls_python:
                jax.block_until_ready(outs)
    except Exception as error:
        named = located(error, program, recorder.sources)
        if named is error:
            raise
        raise named from None
    made = [values[p] for p in program.live]
    if program.checked:
        note_flags(outs[program.leading - 1], program, [recorder.sources[n] for n in program.checked], made)
    for value, array in zip(made, outs[program.leading :], strict=True):
        if value.array is None:
            value.array = array
    if program.key.check_nan:
        raise_on_nan(recorder, program, np.asarray(outs[0]))
