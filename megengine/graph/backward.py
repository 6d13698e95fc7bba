"""Reverse-mode differentiation over recorded ops.

Backward visits the nodes between the roots and the leaves of its tape, newest first, and records one VJP for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import jax

from ..ops.elemwise import add
from ..ops.op import Op
from .apply import apply, apply_vjp
from .caches import Cache
from .flushing import run_ended
from .identity import identity_of
from .recorder import thread
from .tape import GradNode, Tape
from .traced import zero_cotangent
from .value import Handle

_ops = Cache(4096)
_serial = attrgetter("serial")


def backward(tape: Tape, roots: list[tuple[Handle, Handle]]) -> dict[GradNode, Handle]:
    """Gradients of the leaves of ``tape`` from those of the roots.

    Args:
        tape: the recording whose attached tensors are wanted.
        roots: pairs of a tensor and its cotangent.

    Returns:
        The cotangent of each leaf node that the roots depend on.
    """
    cots: dict[GradNode, list[Handle | None]] = {}
    own: dict[GradNode, Handle | None] = {}
    for root, dy in roots:
        node = root._node
        if node is not None and node.live():
            _accumulate(cots, node, root._slot, dy)
            if tape in node.leaf_of and not any(p is not None and p.live() for p, _ in node.parents):
                own[node] = cots[node][0]
    cots.update((node, [None]) for node in tape.sent if node.live())
    order = _between(tape, list(cots))
    before = thread.recorder.tapes
    thread.recorder.tapes = tuple(t for t in before if t.level < tape.level)
    grads: dict[GradNode, Handle] = {}
    try:
        while order:
            node, _ = order.popitem()  # the newest; nothing is kept for it any more when the graph is flushed
            cot = cots.pop(node, None)
            if cot is None:
                continue
            # As in MegEngine, an attached tensor that was not computed has no gradient of itself alone.
            if tape in node.leaf_of and cot[0] is not None and cot[0] is not own.get(node):
                grads[node] = cot[0]
            parents = node.parents
            need = tuple([k for k, pair in enumerate(parents) if pair[0] in order])
            if need:
                for k, grad in zip(need, _pull(node, cot, need), strict=True):
                    if grad is not None:
                        _accumulate(cots, *parents[k], grad)
    finally:
        thread.recorder.tapes = before
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


def _pull(node: GradNode, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
    """Cotangents of the operands ``need`` (indices into ``node.linearised``) from those of the results."""
    if node.pull is not None:
        return node.pull(cots, need)
    if node.operands is not None and thread.recorder.tapes:
        return _pull_differentiably(node, cots, need)
    if node.recorder is not None and node.recorder is thread.ended:
        run_ended()
    if node.kept is not None:
        return _pull_kept(node, cots, need)
    assert node.signature is not None
    if node.recorder is thread.recorder:
        specs, linearised = node.signature.specs, node.linearised
        wanted = tuple([specs[linearised[k]] for k in need])
        return apply_vjp(node.number, linearised, need, cots, wanted, node.source)
    raise RuntimeError(
        "the recorded history of this value is gone: it was recorded in another thread or its graph failed"
    )


def _derived(op: Op, key: tuple[Any, ...], name: str, make: Any) -> Op:
    found: Op = _ops.get((op, key), lambda: Op(name, make(), identity=identity_of(op.identity, key)))
    return found


def _pull_differentiably(node: GradNode, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
    """Record the gradient as an op of the operands and cotangents, which can be differentiated again."""
    signature, operands = node.signature, node.operands
    assert signature is not None and operands is not None
    present = tuple(c is not None for c in cots)
    wanted = tuple(node.linearised[k] for k in need)
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
    """The forward ran in an earlier flush: apply the pullback it kept."""
    assert node.kept is not None
    pullback, arrays = node.kept
    gradient = pullback.gradient(need, tuple(c is not None for c in cots))
    return apply(gradient, *arrays, *(c for c in cots if c is not None), **gradient.named(pullback.sizes))
