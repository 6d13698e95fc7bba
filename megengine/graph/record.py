"""Recording: every op call becomes one step in the trie of structures, and a pending value."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.op import Op
from . import precision
from . import value as _value_module
from .counters import counters
from .device import Device, resolve
from .options import options
from .structure import ROOT, Pull, State, extend, extend_pull
from .value import Aval, Handle, Value, aval
from .where import Where, here

_KIND: dict[type, str] = {float: "f", int: "i", bool: "b"}
_INT_SPAN = 1 << 32
_new = object.__new__


# Set by run.py and differentiate.py, which build on this module.
cut: Callable[[str], None]
run_ended: Callable[[], None]
cut_at_limit: Callable[[Any], None]
materialise: Callable[[Value], None]
track: Callable[..., None]
as_constant: Callable[[Any, tuple[Any, ...]], Handle]
some_place_is_special = False
current_scope: Callable[[], tuple[str, ...]] = tuple


class Graph:
    """The ops one thread has recorded since its last cut.

    Attributes:
        state: the structure so far.
        index: every value of the graph, inputs too, with its position.
        floats, ints: Python scalars in the order met; arguments of the program, not part of its structure.
        where: the user's line of each instruction.
        nodes: gradient nodes made here, with the instruction each belongs to.
        tapes: the gradient recordings active in this thread.
        limit: how many ops may be pending.
        capture: what a trace being recorded collects.
        lock: held while it runs, and while another thread computes one of its values.
    """

    __slots__ = (
        "state",
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
        "op_by_op",
        "lock",
    )

    def __init__(
        self, device: Device, tapes: tuple[Any, ...] = (), op_by_op: bool = False, capture: Any = None
    ) -> None:
        self.state: State = ROOT
        self.index: dict[Value, int] = {}
        self.floats: list[float] = []
        self.ints: list[int] = []
        self.where: list[Where] = []
        self.nodes: list[tuple[int, Any]] = []
        self.tapes = tapes
        self.op_by_op = op_by_op
        self.limit = 0
        self.reset_limit()
        self.device = device
        self.capture = capture
        self.scopes: list[Any] | None = [] if watching() else None
        self.error: BaseException | None = None
        self.lock = threading.Lock()

    def reset_limit(self) -> None:
        """Take the number of ops that may be pending from the options."""
        self.limit = 1 if self.op_by_op or options.eager or some_place_is_special else options.pending_limit

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
        """Forget what was bound for an instruction that then failed."""
        for value in list(self.index)[self.state.count :]:
            del self.index[value]
        del self.floats[self.state.floats :], self.ints[self.state.ints :]


class _Thread(threading.local):
    """Per-thread state; each thread records its own graph.

    Attributes:
        graph: what is being recorded.
        ended: the graph before it, if that has yet to run.
        watchers: who wants to see the graphs that run.
        unchecked: flags of ops whose operands' values have yet to be looked at.
    """

    def __init__(self) -> None:
        self.graph = Graph(resolve(None))
        self.ended: Graph | None = None
        self.watchers: list[Any] = []
        self.unchecked: list[Any] = []


def watching() -> bool:
    """Whether someone looks at the graphs this thread runs (see :func:`megengine.graph.watch`)."""
    local = globals().get("thread")
    return local is not None and bool(local.__dict__.get("watchers"))


thread = _Thread()
serials = itertools.count()  # gradient nodes are ordered by theirs


def apply(op: Op, attrs: tuple[Any, ...], *operands: Any) -> Any:
    """Record ``op(*operands)`` and return handles on its pending results.

    Args:
        op: an operator of the table.
        attrs: its static attributes, in the order of ``op.attrs``, hashable.
        operands: handles, Python scalars, or what converts to a constant (arrays, lists).

    Raises:
        RuntimeError: shapes, dtypes or devices do not fit; nothing is recorded then.
    """
    if precision.ever_on and op.autocast is not None:
        op = precision.cast(op)
    graph = thread.graph
    index = graph.index
    key: list[Any] = [op, attrs]
    tracked = False
    device = graph.device
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
                    return _switch_device(graph, op, attrs, operands)
            key.append(position)
            if x._node is not None:
                tracked = True
        else:
            kind = _KIND.get(type(x))
            if kind == "f":
                graph.floats.append(x)
            elif kind is not None:
                graph.ints.append(x)
            else:
                graph.rollback()
                return apply(
                    op,
                    attrs,
                    *[y if isinstance(y, Handle) or type(y) in _KIND else as_constant(y, operands) for y in operands],
                )
            key.append(kind)
    full = tuple(key)
    state = graph.state.next.get(full)
    if state is None:
        try:
            state = extend(graph.state, full)
        except BaseException:
            graph.rollback()
            raise
    graph.state = state
    graph.where.append(here(2))
    if graph.scopes is not None:
        graph.scopes.append(current_scope())
    cls = _value_module.handle_type
    known = state.aval
    if known is not None:
        value = Value(graph, known, None, device)
        index[value] = len(index)
        out: Any = _new(cls)
        out._value = value
        out._node = None
        if tracked and graph.tapes:
            track(graph, op, state, operands, (out,))
    else:
        out = _results(graph, state, device)
        if tracked and graph.tapes:
            track(graph, op, state, operands, out)
    if state.depth >= graph.limit:
        cut_at_limit(graph)
    return out


def _on_host(graph: Graph, op: Op, attrs: tuple[Any, ...], x: Handle) -> Any:
    """The result for data that have not left the host, computed there at once; None where it has to be recorded."""
    if x._node is not None or graph.capture is not None or graph.op_by_op or options.eager:
        return None
    assert op.on_host is not None
    value = x._value
    if not value.aval.is_plain:
        return None
    array = op.on_host(value.array, *attrs)
    if array is None:
        return None
    return _value_module.new_handle(Value(None, aval(array.shape, array.dtype), array, value.device))


def _results(graph: Graph, state: State, device: Device) -> tuple[Any, ...]:
    outs = []
    index, cls = graph.index, _value_module.handle_type
    for known in state.avals:
        value = Value(graph, known, None, device)
        index[value] = len(index)
        out = _new(cls)
        out._value = value
        out._node = None
        outs.append(out)
    return tuple(outs)


def apply_pull(
    source: int,
    mask: tuple[int, ...],
    need: tuple[int, ...],
    cots: list[Handle | None],
    avals: tuple[Aval, ...],
    where: Where,
) -> tuple[Any, ...]:
    """Record the gradient of instruction ``source`` of the current graph."""
    graph = thread.graph
    key: list[Any] = [Pull, source, mask, need]
    for cot in cots:
        if cot is None:
            key.append(None)
        else:
            position: Any = graph.index.get(cot._value)
            key.append(graph.bind(cot._value, cot) if position is None else position)
    full = tuple(key)
    state = graph.state.next.get(full)
    if state is None:
        state = extend_pull(graph.state, full, avals)
    graph.state = state
    graph.where.append(where)
    if graph.scopes is not None:
        graph.scopes.append(graph.scopes[source])
    return _results(graph, state, graph.device)


def apply_on(device: str | Device | None, op: Op, attrs: tuple[Any, ...], *operands: Any) -> Any:
    """Record an op without tensor operands on a device of choice (None: the default device)."""
    wanted = resolve(device)
    if thread.graph.device is not wanted and thread.graph.device.place != wanted.place:
        _leave_for(wanted)
    out = apply(op, attrs, *operands)
    for made in out if isinstance(out, tuple) else (out,):
        made._value.device = wanted
    return out


def _leave_for(device: Device) -> None:
    graph = thread.graph
    if graph.state is not ROOT and graph.device.place != device.place:
        cut("device")
    thread.graph.device = device


def _switch_device(graph: Graph, op: Op, attrs: tuple[Any, ...], operands: tuple[Any, ...]) -> Any:
    """An operand lives elsewhere: run what is pending here and go on there."""
    graph.rollback()
    devices = {x._value.device.place: x._value.device for x in operands if isinstance(x, Handle)}
    if len(devices) > 1:
        names = ", ".join(sorted(d.name for d in devices.values()))
        raise RuntimeError(f"{op.name}: operands are on different devices ({names}); move them with .to() or F.copy()")
    _leave_for(next(iter(devices.values())))
    return apply(op, attrs, *operands)


def pack(graph: Graph) -> list[np.ndarray]:
    """The Python scalars of a graph as at most two arrays, arguments of its program."""
    packed = []
    if graph.floats:
        packed.append(np.array(graph.floats, np.float32))
    if graph.ints:
        packed.append(np.array([(i + (1 << 31)) % _INT_SPAN - (1 << 31) for i in graph.ints], np.int32))
    return packed


def count_ops(state: State) -> None:
    """Add a finished graph to the totals."""
    counters.ops += state.depth
