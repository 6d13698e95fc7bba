"""What one thread has recorded and not run yet."""

from __future__ import annotations

import itertools
import threading
from array import array
from typing import Any
from weakref import ReferenceType, WeakSet

import numpy as np

from .counters import counters, counting
from .device import Device, resolve
from .flights import Flight
from .options import options
from .scalars import Shared
from .source import Source
from .splits import any_split
from .trie import ROOT, Node
from .value import Handle, Value


class Recorder:
    """The ops one thread has recorded since its last flush.

    Attributes:
        node: the structure so far.
        index: every value of the graph, inputs too, with its position.
        floats, ints: Python scalars in the order met; arguments of the program, not part of its structure.
        shared: where among them those are that several calls take, by their ids.
        sources: the user's line of each call.
        nodes: gradient nodes made here, with the call each belongs to.
        tapes: the gradient recordings active in this thread.
        limit: how many ops may be pending.
        capture: what a trace being recorded collects.
        asked: whether another thread has asked for a value of it.
        lock: held while it runs, and while another thread computes one of its values.
        rebound: tensors from before this graph that hold one of its values now, with what they held; a graph that fails gives
            it back to them.
        stepped: whether an optimizer's step was recorded: then those tensors change all together or not at all.
        recompute: how much of it is computed again where gradients need it (see :mod:`megengine.graph.passes.rematerialise`): its
            ``above`` and ``smallest``, or None.
        collectives: what was recorded that other processes take part in.
        token: what comes after the last of them.
        work, results: what is needed to hand out the results, and the results, from when it has been executed until they are.
    """

    __slots__ = (
        "node",
        "index",
        "floats",
        "ints",
        "shared",
        "sources",
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
        "recompute",
        "collectives",
        "token",
        "work",
        "results",
    )

    def __init__(
        self, device: Device, tapes: tuple[Any, ...] = (), capture: Any = None, watched: bool | None = None
    ) -> None:
        self.node: Node = ROOT
        self.index: dict[Value, int] = {}
        self.floats: list[float] = []
        self.ints: list[int] = []
        self.shared: dict[int, int] = {}
        self.sources: list[Source] = []
        self.nodes: list[Any] = []
        self.tapes = tapes
        self.limit = 0
        self.reset_limit()
        self.device = device
        self.capture = capture
        self.scopes: list[Any] | None = [] if (thread.watchers if watched is None else watched) else None
        self.error: BaseException | None = None
        self.lock = threading.Lock()
        self.asked = False
        self.rebound: dict[int, tuple[ReferenceType[Handle], Value | int, Any, int]] = {}
        self.stepped = False
        self.recompute: tuple[int, int] | None = None
        self.collectives = Flight()
        self.token: Handle | None = None
        self.work: Any = None
        self.results: list[Any] = []

    def reset_limit(self) -> None:
        """Take the number of ops that may be pending from the options."""
        self.limit = 1 if options.eager or any_split() else options.pending_limit

    def source_of(self, number: Shared) -> Any:
        """What a call's key has for a float that other calls may take, too: that it is a new one, or which one it is."""
        place = self.shared.get(id(number))
        if place is not None and place < len(self.floats) and self.floats[place] is number:
            return "f", place
        self.shared[id(number)] = len(self.floats)
        self.floats.append(number)
        return "f"

    def rollback(self) -> None:
        """Forget what was written down of a call that then failed or was interrupted."""
        node, index = self.node, self.index
        while len(index) > node.count:
            index.popitem()
        del self.floats[node.floats :], self.ints[node.ints :], self.sources[node.depth :]
        if self.scopes is not None:
            del self.scopes[node.depth :]

    def is_whole(self) -> bool:
        """Whether all that was recorded is what the node says."""
        return len(self.index) == self.node.count and len(self.sources) == self.node.depth


computing: WeakSet[threading.Thread] = WeakSet()
"""The threads that have recorded something."""


class _Thread(threading.local):
    """Per-thread state; each thread records its own graph.

    Attributes:
        recorder: what is being recorded.
        ended: the one before it, if that has yet to run.
        undo: tensors changed since a group of changes began, with what they held (see :mod:`megengine.graph.together`).
        flushes: how many graphs have ended.
        watchers: who wants to see the graphs that run.
        unchecked: flags of ops whose operands' values have yet to be looked at.
        recompute: what graphs that end now get as theirs, unless the options say it for all.
        several: whether more than one thread has recorded something since the process began.
    """

    several = False
    _one = False  # whether one has

    def __init__(self) -> None:
        _Thread.several, _Thread._one = _Thread._one, True
        computing.add(threading.current_thread())
        self.watchers: list[Any] = []
        self.recorder = Recorder(resolve(None), watched=False)
        self.ended: Recorder | None = None
        self.undo: list[tuple[Any, ...]] | None = None
        self.flushes = 0
        self.unchecked: list[Any] = []
        self.recompute: tuple[int, int] | None = None


thread = _Thread()
serials = itertools.count()  # gradient nodes are ordered by theirs


def pack(recorder: Recorder) -> list[np.ndarray]:
    """The Python scalars of a graph as at most two arrays, arguments of its program."""
    packed = []
    if recorder.floats:
        packed.append(np.frombuffer(array("f", recorder.floats), np.float32))  # 1e39 becomes infinite
    if recorder.ints:
        packed.append(np.array(recorder.ints, np.int32))
    return packed


def count_flush(reason: str, node: Node) -> None:
    """Add a finished graph to the totals."""
    with counting:
        counters.flushes[reason] += 1
        counters.ops += node.depth
