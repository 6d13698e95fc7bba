"""Recording: every op call becomes one step in the trie of structures, and a pending value."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any
from weakref import ReferenceType, ref

import numpy as np

from ..ops.op import Op
from . import precision
from . import value as _value_module
from .counters import counters, counting
from .device import Device, resolve
from .options import options
from .trie import ROOT, Node, VjpCall, extend, extend_vjp
from .value import Aval, Handle, Value, aval
from .where import Where, here

_KIND: dict[type, str] = {float: "f", int: "i", bool: "b", np.float64: "f"}
_new = object.__new__


def kind_of(x: Any) -> str | None:
    """The kind of a Python scalar; None for what is none."""
    return _KIND.get(type(x))


# Set by run.py, differentiate.py, host.py and scalars.py, which build on this module.
cut: Callable[[str], None]
run_ended: Callable[[], None]
cut_at_limit: Callable[[Any], None]
materialise: Callable[[Value], None]
track: Callable[..., None]
as_operand: Callable[[Any, tuple[Any, ...]], Any]
fitted: Callable[[Op, tuple[Any, ...], tuple[Any, ...], int], Any]
some_place_is_special = False
forked = False  # whether this process is a child without the threads that compute
current_scope: Callable[[], tuple[str, ...]] = tuple


class Graph:
    """The ops one thread has recorded since its last cut.

    Attributes:
        node: the structure so far.
        index: every value of the graph, inputs too, with its position.
        floats, ints: Python scalars in the order met; arguments of the program, not part of its structure.
        where: the user's line of each instruction.
        nodes: gradient nodes made here, with the instruction each belongs to.
        tapes: the gradient recordings active in this thread.
        limit: how many ops may be pending.
        capture: what a trace being recorded collects.
        asked: whether another thread has asked for a value of it.
        lock: held while it runs, and while another thread computes one of its values.
        rebound: tensors from before this graph that hold one of its values now, with what they held; a graph that fails gives
            it back to them.
        stepped: whether an optimizer's step was recorded: then those tensors change all together or not at all.
        work, results: what is needed to hand out the results, and the results, from when it has been executed until they are.
    """

    __slots__ = (
        "node",
        "index",
        "floats",
        "ints",
        "where",
        "nodes",
        "tapes",
        "limit",
        "device",
        "capture",
        "scopes",
        "error",
        "lock",
        "asked",
        "rebound",
        "stepped",
        "work",
        "results",
    )

    def __init__(self, device: Device, tapes: tuple[Any, ...] = (), capture: Any = None) -> None:
        self.node: Node = ROOT
        self.index: dict[Value, int] = {}
        self.floats: list[float] = []
        self.ints: list[int] = []
        self.where: list[Where] = []
        self.nodes: list[Any] = []
        self.tapes = tapes
        self.limit = 0
        self.reset_limit()
        self.device = device
        self.capture = capture
        self.scopes: list[Any] | None = [] if watching() else None
        self.error: BaseException | None = None
        self.lock = threading.Lock()
        self.asked = False
        self.rebound: dict[int, tuple[ReferenceType[Handle], Value | int, Any, int]] = {}
        self.stepped = False
        self.work: Any = None
        self.results: list[Any] = []

    def reset_limit(self) -> None:
        """Take the number of ops that may be pending from the options."""
        self.limit = 1 if options.eager or some_place_is_special else options.pending_limit

    def bind(self, value: Value, handle: Handle) -> Aval | None:
        """Make a value from outside an input; returns its key, or None if it lives on another device."""
        if value.array is None:
            materialise(value)
        if value.device is not self.device and value.device.place != self.device.place:
            return None
        self.index[value] = len(self.index)
        if self.capture is not None:
            self.capture.bound(handle, value)
        return value.aval

    def rollback(self) -> None:
        """Forget what was written down of an instruction that then failed or was interrupted."""
        node, index = self.node, self.index
        while len(index) > node.count:
            index.popitem()
        del self.floats[node.floats :], self.ints[node.ints :], self.where[node.depth :]
        if self.scopes is not None:
            del self.scopes[node.depth :]

    def is_whole(self) -> bool:
        """Whether all that was recorded is what the state says."""
        return len(self.index) == self.node.count and len(self.where) == self.node.depth


class _Thread(threading.local):
    """Per-thread state; each thread records its own graph.

    Attributes:
        graph: what is being recorded.
        ended: the graph before it, if that has yet to run.
        undo: tensors changed since a group of changes began, with what they held (see :mod:`megengine.graph.together`).
        flushes: how many graphs have ended.
        watchers: who wants to see the graphs that run.
        unchecked: flags of ops whose operands' values have yet to be looked at.
        several: whether more than one thread has recorded something since the process began.
    """

    several = False

    def __init__(self) -> None:
        _Thread.several = "thread" in globals()
        self.graph = Graph(resolve(None))
        self.ended: Graph | None = None
        self.undo: list[tuple[Any, ...]] | None = None
        self.flushes = 0
        self.watchers: list[Any] = []
        self.unchecked: list[Any] = []


def watching() -> bool:
    """Whether someone looks at the graphs this thread runs (see :func:`megengine.graph.watch`)."""
    local = globals().get("thread")
    return local is not None and bool(local.__dict__.get("watchers"))


thread = _Thread()
serials = itertools.count()  # gradient nodes are ordered by theirs


def apply(op: Op, /, *operands: Any, **named: Any) -> Any:
    """Record ``op(*operands)`` and return handles on its pending results.

    Args:
        op: an operator of the table.
        operands: handles, Python scalars, or what converts to a constant (arrays, lists).
        named: the op's static attributes, hashable.

    Raises:
        TypeError: an attribute is missing or unknown.
        RuntimeError: shapes, dtypes or devices do not fit; nothing is recorded then.
    """
    if op.autocast is not None and precision.ever_on:
        op = precision.cast(op)
    attrs = op.attrs
    if attrs or named:
        try:
            attrs = op.pick(named) if len(named) == len(attrs) else op.in_order(named)
        except KeyError:
            attrs = op.in_order(named)
    graph = thread.graph
    index = graph.index
    key: list[Any] = [op, attrs]
    tracked = False
    device = graph.device
    try:
        for x in operands:
            if isinstance(x, Handle):
                value = x._value
                device = value.device
                position: Any = index.get(value)
                if position is None:
                    if op.on_host is not None and type(value.array) is np.ndarray:
                        folded = _on_host(graph, op, attrs, x)
                        if folded is not None:
                            return folded
                    position = graph.bind(value, x)
                    if position is None:
                        return _switch_device(graph, op, operands, named)
                key.append(position)
                if x._node is not None:
                    tracked = True
            else:
                kind = _KIND.get(type(x))
                if kind == "f":
                    graph.floats.append(x)
                elif kind is not None:
                    if 0 <= x <= 127 or (-0x80000000 <= x <= 0x7FFFFFFF and not op.strict):
                        graph.ints.append(x)
                    else:
                        x = fitted(op, attrs, operands, len(key) - 2)
                        if type(x) is float:
                            kind = "f"
                            graph.floats.append(x)
                        else:
                            graph.ints.append(x)
                else:
                    graph.rollback()
                    return apply(
                        op,
                        *[
                            y if isinstance(y, Handle) or type(y) in _KIND else as_operand(y, operands)
                            for y in operands
                        ],
                        **named,
                    )
                key.append(kind)
        full = tuple(key)
        node = graph.node.next.get(full)
        if node is None:
            node = extend(graph.node, full)
        graph.where.append(here(2))
        if graph.scopes is not None:
            graph.scopes.append(current_scope())
        known = node.aval
        if known is not None:
            value = Value(graph, known, None, device)
            index[value] = len(index)
            out: Any = _new(_value_module.handle_type)
            out._value = value
            out._node = None
        else:
            out = _results(graph, node, device)
        graph.node = node  # last: what was written down before an exception is none of the graph's
    except BaseException:
        graph.rollback()
        raise
    if tracked and graph.tapes:
        track(graph, op, node, operands, (out,) if known is not None else out)
    if node.depth >= graph.limit:
        cut_at_limit(graph)
    return out


def _on_host(graph: Graph, op: Op, attrs: tuple[Any, ...], x: Handle) -> Any:
    """The result for data that have not left the host, computed there at once; None where it has to be recorded."""
    if x._node is not None or graph.capture is not None or options.eager or options.check_nan:
        return None
    assert op.on_host is not None
    value = x._value
    if not value.aval.is_plain:
        return None
    array = op.on_host(value.array, *attrs)
    if array is None:
        return None
    return _value_module.new_handle(Value(None, aval(array.shape, array.dtype), array, value.device))


def _results(graph: Graph, node: Node, device: Device) -> tuple[Any, ...]:
    outs = []
    index, cls = graph.index, _value_module.handle_type
    for known in node.avals:
        value = Value(graph, known, None, device)
        index[value] = len(index)
        out = _new(cls)
        out._value = value
        out._node = None
        outs.append(out)
    return tuple(outs)


def apply_vjp(
    source: int,
    mask: tuple[int, ...],
    need: tuple[int, ...],
    cots: list[Handle | None],
    avals: tuple[Aval, ...],
    where: Where,
) -> tuple[Any, ...]:
    """Record the gradient of instruction ``source`` of the current graph."""
    graph = thread.graph
    key: list[Any] = [VjpCall, source, mask, need]
    try:
        for cot in cots:
            if cot is None:
                key.append(None)
            else:
                position: Any = graph.index.get(cot._value)
                key.append(graph.bind(cot._value, cot) if position is None else position)
        full = tuple(key)
        node = graph.node.next.get(full)
        if node is None:
            node = extend_vjp(graph.node, full, avals)
        graph.where.append(where)
        if graph.scopes is not None:
            graph.scopes.append(graph.scopes[source])
        out = _results(graph, node, graph.device)
        graph.node = node
    except BaseException:
        graph.rollback()
        raise
    return out


def apply_on(device: str | Device | None, op: Op, /, *operands: Any, **named: Any) -> Any:
    """Record an op without tensor operands on a device of choice (None: the default device)."""
    wanted = resolve(device)
    if thread.graph.device is not wanted and thread.graph.device.place != wanted.place:
        _leave_for(wanted)
    out = apply(op, *operands, **named)
    for made in out if isinstance(out, tuple) else (out,):
        made._value.device = wanted
    return out


def _leave_for(device: Device) -> None:
    graph = thread.graph
    if graph.node is not ROOT and graph.device.place != device.place:
        cut("device")
    thread.graph.device = device


def _switch_device(graph: Graph, op: Op, operands: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """An operand lives elsewhere: run what is pending here and go on there."""
    graph.rollback()
    devices = {x._value.device.place: x._value.device for x in operands if isinstance(x, Handle)}
    if len(devices) > 1:
        names = ", ".join(sorted(d.name for d in devices.values()))
        raise RuntimeError(f"{op.name}: operands are on different devices ({names}); move them with .to() or F.copy()")
    _leave_for(next(iter(devices.values())))
    return apply(op, *operands, **named)


def rebind(handle: Handle, other: Handle) -> None:
    """Make a handle hold the value of another, with its gradient history; undone if the graph that computes it fails."""
    old, graph, undo = handle._value, thread.graph, thread.undo
    if old.graph is not graph:
        entry = graph.rebound.get(id(handle))
        if entry is None or entry[0]() is not handle:
            before = graph.index.get(old, old)
            graph.rebound[id(handle)] = ref(handle), before, handle._node, getattr(handle, "_slot", 0)
    if undo is not None:
        undo.append((handle, old, handle._node, handle._slot if handle._node is not None else 0))
    node = other._node
    handle._node = None
    handle._value = other._value
    if node is not None:
        handle._slot = other._slot
        handle._node = node


def pack(graph: Graph) -> list[np.ndarray]:
    """The Python scalars of a graph as at most two arrays, arguments of its program."""
    packed = []
    if graph.floats:
        with np.errstate(over="ignore"):  # 1e39 is infinite in float32
            packed.append(np.array(graph.floats, np.float32))
    if graph.ints:
        packed.append(np.array(graph.ints, np.int32))
    return packed


def count_cut(reason: str, node: Node) -> None:
    """Add a finished graph to the totals."""
    with counting:
        counters.cuts[reason] += 1
        counters.ops += node.depth
