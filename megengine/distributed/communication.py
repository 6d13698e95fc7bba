"""A collective as an operation on tensors: what is pending runs first, and gradients go through another collective."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..graph.flushing import evaluate
from ..graph.recorder import thread
from ..graph.tape import GradNode
from ..graph.value import Value, aval, new_handle
from ..tensor import Tensor
from . import runtime
from .collectives import FOR_ROOT
from .group import Group, next_call
from .waiting import Call, agree, carried_out

Pull = Callable[[Tensor], Tensor]


def communicate(inp: Tensor, name: str, group: Group, axes: dict[str, int], pull: Pull | None) -> Tensor | None:
    """This rank's result of a collective.

    Args:
        inp: this rank's tensor.
        name: of the collective.
        group: the ranks, the root first.
        axes: dimensions, by name.
        pull: from the cotangent of the result to that of ``inp``; None for one that has no gradient.

    Returns:
        The result; None for one that only the root has.

    Raises:
        RuntimeError: the ranks call different collectives, or one does not come in time.
    """
    evaluate(inp._value)
    value = inp._value
    if value.aval.dtype.metadata is not None:
        raise TypeError(f"{name} takes plain numbers, not {value.aval.dtype.name}: convert with astype()")
    call = next_call(group, f"{name} of {value.aval!r}" + "".join(f", {k}={v}" for k, v in axes.items()))
    _agree(group, call)
    ranks, how = tuple(group.proc_ranks), tuple(axes.items())
    array = carried_out(call, lambda: runtime.run(name, value.array, ranks, how))
    if name in FOR_ROOT and group.rank > 0:
        return None
    out = Value(None, aval(tuple(array.shape), np.dtype(value.aval.dtype)), array, value.device)
    result: Tensor = new_handle(out)
    _track(inp, result, name, pull)
    return result


class _CollectiveNode(GradNode):
    """The gradient node of a collective."""

    __slots__ = ("name", "pull_one")

    name: str
    pull_one: Pull | None

    def pull(self, cots: list[Tensor | None], need: tuple[int, ...]) -> Sequence[Tensor | None]:
        """The cotangent of its operand."""
        if self.pull_one is None:
            raise NotImplementedError(
                f"{self.name} has no gradient, since only the root has its result: use all_reduce_sum or all_gather"
            )
        (cotangent,) = cots
        return [None if cotangent is None else self.pull_one(cotangent)]


def _recorded(x: Tensor) -> bool:
    """Whether gradients of a tensor are being recorded."""
    made_by = x._node
    return bool(thread.recorder.tapes) and made_by is not None and made_by.live() and x._value.aval.is_float


def _track(inp: Tensor, result: Tensor, name: str, pull: Pull | None) -> None:
    if _recorded(inp):
        node = _CollectiveNode(thread.recorder.tapes, ((inp._node, inp._slot),))
        node.name, node.pull_one = name, pull
        result._node, result._slot = node, 0


class _SentNode(GradNode):
    """The gradient node of a tensor that was sent to another rank, which sends its cotangent."""

    __slots__ = ("receive",)

    receive: Callable[[], Tensor]

    def pull(self, cots: list[Tensor | None], need: tuple[int, ...]) -> Sequence[Tensor | None]:
        """The cotangent of what was sent."""
        return [self.receive()]


class _ReceivedNode(GradNode):
    """The gradient node of a tensor that another rank sent, to which its cotangent goes."""

    __slots__ = ("send",)

    send: Callable[[Tensor], None]

    def pull(self, cots: list[Tensor | None], need: tuple[int, ...]) -> Sequence[Tensor | None]:
        """Send it; nothing in this process is a gradient of it."""
        (cotangent,) = cots
        if cotangent is not None:
            self.send(cotangent)
        return [None]


def track_sent(inp: Tensor, receive: Callable[[], Tensor]) -> bool:
    """Have the next backward pass go on from a tensor that is sent; says whether it is recorded.

    Args:
        inp: what is sent.
        receive: gets its cotangent.
    """
    if not _recorded(inp):
        return False
    node = _SentNode(thread.recorder.tapes, ((inp._node, inp._slot),))
    node.receive = receive
    for tape in thread.recorder.tapes:
        tape.sent.append(node)
    return True


def track_received(received: Tensor, send: Callable[[Tensor], None]) -> None:
    """Have the backward pass that comes to a tensor send its cotangent.

    Args:
        received: what was received.
        send: takes the cotangent.
    """
    tapes = thread.recorder.tapes
    if tapes:
        # The path has to lead to something that is attached.
        node = _ReceivedNode(tapes, ((GradNode(tapes, (), leaf_of=tapes), 0),))
        node.send = send
        received._node, received._slot = node, 0


def _agree(group: Group, call: Call) -> None:
    """Make sure, the first time that this rank makes such a call, that the others make it too: they would wait in vain."""
    kind = (group.key, call.what)
    if kind not in runtime.agreed:
        agree(call)
        runtime.agreed.add(kind)
