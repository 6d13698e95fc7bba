"""Reverse-mode differentiation over recorded ops.

While a gradient recording (a tape) is active, an op with a tracked operand leaves a node behind. Nodes link to their
parents only, so what the loss does not need is freed by itself. Backward visits the nodes between the roots and the
leaves of its tape, newest first, and records one gradient instruction for each.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import jax
import numpy as np

from ..ops.elemwise import add
from ..ops.op import Op
from . import record
from .identity import identity_of
from .notes import note_view
from .pullbacks import Pullback
from .record import Graph, apply, apply_vjp, serials, thread
from .signature import Signature
from .traced import zero_cotangent
from .trie import Node
from .value import Handle, Value, aval, new_handle

_serial = attrgetter("serial")
_NO_PARENT: tuple[Any, int] = (None, 0)


class Tape:
    """One gradient recording; everything made under it is forgotten when it is released.

    Attributes:
        level: when it began: it records the backward pass of recordings that began later, not of those beside or before it.
    """

    __slots__ = ("alive", "crossed", "level")

    def __init__(self, level: int | None = None) -> None:
        self.alive = True
        self.level = next(serials) if level is None else level
        self.crossed: list[weakref.ref[GradNode]] = []

    def start(self) -> None:
        """Begin to record in this thread."""
        thread.graph.tapes = (*thread.graph.tapes, self)

    def stop(self) -> None:
        """Stop recording; what was recorded stays."""
        thread.graph.tapes = tuple(t for t in thread.graph.tapes if t is not self)

    def release(self) -> None:
        """Forget what was recorded, and free what was kept for it."""
        self.stop()
        self.alive = False
        for ref in self.crossed:
            node = ref()
            if node is not None and not node.live():
                node.clear()
        self.crossed.clear()


class GradNode:
    """How a tracked value came to be, as far as backward needs it.

    Attributes:
        tapes: recordings it belongs to.
        parents: for each differentiated operand, the node it came from and which result of that node it is.
        width: how many results it has.
        graph, source, mask, signature, where: the forward call, while its graph is pending.
        kept: after a cut, this node's pullback and the arrays it needs.
        operands: the operands themselves, kept only under two or more tapes (higher-order gradients).
        leaf_of: the tapes for which this is an attached tensor.
    """

    __slots__ = (
        "tapes", "serial", "parents", "width", "graph", "source", "mask", "signature", "where", "leaf_of", "kept", "operands",
        "__weakref__",
    )  # fmt: skip

    def __init__(
        self,
        tapes: tuple[Tape, ...],
        parents: tuple[tuple[GradNode | None, int], ...],
        width: int = 1,
        graph: Graph | None = None,
        source: int = -1,
        mask: tuple[int, ...] = (),
        signature: Signature | None = None,
        where: Any = None,
        leaf_of: tuple[Tape, ...] = (),
    ) -> None:
        self.tapes = tapes
        self.serial = next(serials)
        self.parents = parents
        self.width = width
        self.graph = graph
        self.source = source
        self.mask = mask
        self.signature = signature
        self.where = where
        self.leaf_of = leaf_of
        self.kept: tuple[Pullback, tuple[Handle, ...]] | None = None
        self.operands: tuple[Any, ...] | None = None

    def live(self) -> bool:
        """Whether a recording that it belongs to is still alive."""
        for tape in self.tapes:
            if tape.alive:
                return True
        return False

    def clear(self) -> None:
        """Drop everything that this node keeps alive."""
        self.parents = ()
        self.graph = self.kept = self.operands = None
        self.leaf_of = ()

    def pull(self, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
        """Cotangents of the operands ``need`` (indices into ``mask``) from those of the results."""
        if self.operands is not None and thread.graph.tapes:
            return _pull_differentiably(self, cots, need)
        if self.graph is not None and self.graph is thread.ended:
            record.run_ended()
        if self.kept is not None:
            return _pull_kept(self, cots, need)
        assert self.signature is not None
        if self.graph is thread.graph:
            specs, mask = self.signature.specs, self.mask
            return apply_vjp(self.source, mask, need, cots, tuple([specs[mask[k]] for k in need]), self.where)
        raise RuntimeError(
            "the recorded history of this value is gone: it was recorded in another thread or its graph failed"
        )


class ChainNode(GradNode):
    """A node without an op of its own: an attached tensor, or a result passed through unchanged."""

    __slots__ = ()

    def pull(self, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
        """The cotangent itself."""
        return [cots[0]]


def track(graph: Graph, op: Op, call_node: Node, operands: tuple[Any, ...], outs: tuple[Any, ...]) -> None:
    """Leave a node on the results of an op that has tracked operands."""
    signature, tapes = call_node.call.signature, graph.tapes
    mask, parents = [], []
    for k in signature.differentiable:
        x = operands[k]
        node = x._node
        if node is not None and (node.tapes is tapes or node.live()):
            mask.append(k)
            parents.append((node, x._slot))
    if not mask:
        return
    source = call_node.depth - 1
    node = GradNode(tapes, tuple(parents), len(outs), graph, source, tuple(mask), signature, graph.where[-1])
    if len(tapes) > 1:
        node.operands = tuple(alias(x) if isinstance(x, Handle) else x for x in operands)
    graph.nodes.append(node)
    for slot, out in enumerate(outs):
        if out._value.aval.is_float:
            out._node = node
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


def backward(tape: Tape, roots: list[tuple[Handle, Handle]]) -> dict[GradNode, Handle]:
    """Gradients of the leaves of ``tape`` from those of the roots.

    Args:
        tape: the recording whose attached tensors are wanted.
        roots: pairs of a tensor and its cotangent.

    Returns:
        The cotangent of each leaf node that the roots depend on.
    """
    cots: dict[GradNode, list[Handle | None]] = {}
    own: set[GradNode] = set()
    for root, dy in roots:
        node = root._node
        if node is not None and node.live():
            if tape in node.leaf_of:
                own.add(node)
            _accumulate(cots, node, root._slot, dy)
    order = _between(tape, list(cots))
    before = thread.graph.tapes
    thread.graph.tapes = tuple(t for t in before if t.level < tape.level)
    grads: dict[GradNode, Handle] = {}
    try:
        while order:
            node, _ = order.popitem()  # the newest; nothing is kept for it any more when the graph is cut
            cot = cots.pop(node, None)
            if cot is None:
                continue
            if tape in node.leaf_of and node not in own and cot[0] is not None:
                grads[node] = cot[0]
            parents = node.parents
            need = tuple([k for k, pair in enumerate(parents) if pair[0] in order])
            if need:
                for k, grad in zip(need, node.pull(cot, need), strict=True):
                    if grad is not None:
                        _accumulate(cots, *parents[k], grad)
    finally:
        thread.graph.tapes = before
    return grads


def _accumulate(cots: dict[GradNode, list[Handle | None]], node: Any, slot: int, grad: Handle) -> None:
    row = cots.get(node)
    if row is None:
        row = cots[node] = [None] * node.width
    have = row[slot]
    row[slot] = grad if have is None else apply(add, have, grad)


def _between(tape: Tape, roots: list[GradNode]) -> dict[GradNode, None]:
    """Nodes on a path from the roots to a leaf of ``tape``, oldest first."""
    seen: set[GradNode] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            for parent, _ in node.parents:
                if parent is not None and parent not in seen and parent.live():
                    stack.append(parent)
    useful: dict[GradNode, None] = {}
    for node in sorted(seen, key=_serial):
        if tape in node.leaf_of:
            useful[node] = None
            continue
        for parent, _ in node.parents:
            if parent in useful:
                useful[node] = None
                break
    return useful


def _derived(op: Op, key: tuple[Any, ...], name: str, make: Any) -> Op:
    found = op.derived.get(key)
    if found is None:
        found = op.derived.setdefault(key, Op(name, make(), identity=identity_of(op.identity, key)))
    return found


def _pull_differentiably(node: GradNode, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
    """Record the gradient as an op of the operands and cotangents, which can be differentiated again."""
    signature, operands = node.signature, node.operands
    assert signature is not None and operands is not None
    present = tuple(c is not None for c in cots)
    wanted = tuple(node.mask[k] for k in need)
    outs, count = signature.avals, len(operands)

    def make() -> Any:
        call = signature.op.bind(signature.attrs, signature.casts)

        def gradient(*arrays: Any) -> Any:
            xs, given = list(arrays[:count]), iter(arrays[count:])
            cts = [next(given) if p else zero_cotangent(a) for p, a in zip(present, outs, strict=True)]

            def of_wanted(*some: Any) -> Any:
                full = list(xs)
                for k, x in zip(wanted, some, strict=True):
                    full[k] = x
                return call(*full)

            _, pullback = jax.vjp(of_wanted, *(xs[k] for k in wanted))
            return tuple(pullback(tuple(cts) if signature.multi else cts[0]))

        return gradient

    key = ("grad", signature.attrs, signature.casts, outs, wanted, present)
    derived = _derived(signature.op, key, f"{signature.op.name}.grad", make)
    return apply(derived, *operands, *(c for c in cots if c is not None))


def _pull_kept(node: GradNode, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
    """The forward ran in an earlier cut: apply the pullback it kept."""
    assert node.kept is not None
    pullback, arrays = node.kept
    gradient = pullback.gradient(need, tuple(c is not None for c in cots))
    return apply(gradient, *arrays, *(c for c in cots if c is not None), **gradient.named(pullback.sizes))


def keep(node: GradNode, pullback: Pullback, arrays: list[Any], device: Any) -> None:
    """After a cut: hold the arrays that backward will need, and let go of the graph."""
    handles = tuple(new_handle(Value(None, aval(tuple(a.shape), np.dtype(a.dtype)), a, device)) for a in arrays)
    node.kept = (pullback, handles)
    node.graph = None
    for tape in node.tapes:
        if tape.alive:
            tape.crossed.append(weakref.ref(node))


record.track = track
