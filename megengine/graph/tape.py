"""Gradient recordings, and the nodes that ops with tracked operands leave behind; :mod:`megengine.graph.backward` walks them.

Nodes link to their parents only, so what the loss does not need is freed by itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ops.op import Op
from .guards import note_view
from .pullbacks import Pullback
from .recorder import Recorder, serials, thread
from .signature import Signature
from .trie import Node
from .value import Handle, Value, aval, new_handle

_NO_PARENT: tuple[Any, int] = (None, 0)


class Tape:
    """One gradient recording; everything made under it is forgotten when it is released.

    Attributes:
        level: when it began: it records the backward pass of recordings that began later, not of those beside or before it.
        sent: nodes of values that went elsewhere, from where their cotangents come: roots of the backward pass.
    """

    __slots__ = ("alive", "crossed", "level", "sent")

    def __init__(self, level: int | None = None) -> None:
        self.alive = True
        self.level = next(serials) if level is None else level
        self.crossed: list[weakref.ref[GradNode]] = []
        self.sent: list[GradNode] = []

    def start(self) -> None:
        """Begin to record in this thread."""
        thread.recorder.tapes = (*thread.recorder.tapes, self)

    def stop(self) -> None:
        """Stop recording; what was recorded stays."""
        thread.recorder.tapes = tuple(t for t in thread.recorder.tapes if t is not self)

    def release(self) -> None:
        """Forget what was recorded, and free what was kept for it."""
        self.alive = False
        self.stop()
        for ref in self.crossed:
            node = ref()
            if node is not None and not node.live():
                node.clear()
        self.crossed.clear()
        self.sent.clear()


class GradNode:
    """How a tracked value came to be, as far as backward needs it.

    Attributes:
        tapes: recordings it belongs to.
        parents: for each differentiated operand, the node it came from and which result of that node it is.
        width: how many results it has.
        recorder, number, linearised, signature, source: the forward call, while its graph is pending.
        kept: after a flush, this node's pullback and the arrays it needs.
        operands: the operands themselves, kept only under two or more tapes (higher-order gradients).
        leaf_of: the tapes for which this is an attached tensor.
    """

    __slots__ = (
        "tapes", "serial", "parents", "width", "recorder", "number", "linearised", "signature", "source", "leaf_of", "kept",
        "operands", "__weakref__",
    )  # fmt: skip

    def __init__(
        self,
        tapes: tuple[Tape, ...],
        parents: tuple[tuple[GradNode | None, int], ...],
        width: int = 1,
        recorder: Recorder | None = None,
        number: int = -1,
        linearised: tuple[int, ...] = (),
        signature: Signature | None = None,
        source: Any = None,
        leaf_of: tuple[Tape, ...] = (),
    ) -> None:
        self.tapes = tapes
        self.serial = next(serials)
        self.parents = parents
        self.width = width
        self.recorder = recorder
        self.number = number
        self.linearised = linearised
        self.signature = signature
        self.source = source
        self.leaf_of = leaf_of
        self.kept: tuple[Pullback, tuple[Handle, ...]] | None = None
        self.operands: tuple[Any, ...] | None = None

    #: Cotangents of operands from those of results, where it is no recorded call that gives them.
    pull: Callable[..., Sequence[Handle | None]] | None = None

    def live(self) -> bool:
        """Whether a recording that it belongs to is still alive."""
        for tape in self.tapes:
            if tape.alive:
                return True
        return False

    def clear(self) -> None:
        """Drop everything that this node keeps alive."""
        self.parents = ()
        self.recorder = self.kept = self.operands = None
        self.leaf_of = ()


class ChainNode(GradNode):
    """A node without an op of its own: an attached tensor, or a result passed through unchanged."""

    __slots__ = ()

    def pull(self, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
        """The cotangent itself."""
        return [cots[0]]


def track(recorder: Recorder, op: Op, node: Node, operands: tuple[Any, ...], outs: tuple[Any, ...]) -> None:
    """Leave a node on the results of an op that has tracked operands."""
    signature, tapes = node.call.signature, recorder.tapes
    linearised, parents = [], []
    for k in signature.differentiable:
        x = operands[k]
        parent = x._node
        if parent is not None and (parent.tapes is tapes or parent.live()):
            linearised.append(k)
            parents.append((parent, x._slot))
    if not linearised:
        return
    number = node.depth - 1
    about = number, tuple(linearised), signature, recorder.sources[-1]
    made = GradNode(tapes, tuple(parents), len(outs), recorder, *about)
    if len(tapes) > 1:
        made.operands = tuple(alias(x) if isinstance(x, Handle) else x for x in operands)
    recorder.nodes.append(made)
    for slot, out in enumerate(outs):
        if out._value.aval.is_float:
            out._node = made
            out._slot = slot


def alias(handle: Handle) -> Any:
    """A second handle on the same value and history, which later assignments to the first do not change."""
    other = new_handle(handle._value)
    note_view(handle, other)
    if handle._node is not None:
        other._node = handle._node
        other._slot = handle._slot
    return other


def attach(handle: Handle, tape: Tape) -> GradNode:
    """Track a tensor from here on: operations on it belong to ``tape``."""
    node = handle._node
    parent = _NO_PARENT if node is None else _passed_through(node, handle._slot)
    node = parent[0]
    others = () if node is None else tuple([t for t in node.tapes if t.alive and t is not tape])
    parents = (parent,) if node is not None and node.live() else (_NO_PARENT,)
    leaf = ChainNode((*others, tape), parents, leaf_of=(tape,))
    handle._node = leaf
    handle._slot = 0
    return leaf


def _passed_through(node: GradNode | None, slot: int) -> tuple[GradNode | None, int]:
    """Where a gradient comes from besides attached tensors of recordings that have ended; threads would leave many."""
    while isinstance(node, ChainNode) and node.leaf_of and not any(t.alive for t in node.leaf_of):
        node, slot = node.parents[0]
    if isinstance(node, ChainNode) and node.leaf_of:
        node.parents = (_passed_through(*node.parents[0]),)
    return node, slot


def keep(node: GradNode, pullback: Pullback, arrays: list[Any], device: Any) -> None:
    """After a flush: hold the arrays that backward will need, and let go of the graph."""
    handles = tuple(new_handle(Value(None, aval(tuple(a.shape), np.dtype(a.dtype)), a, device)) for a in arrays)
    node.kept = (pullback, handles)
    node.recorder = None
    for tape in node.tapes:
        if tape.alive:
            tape.crossed.append(weakref.ref(node))
