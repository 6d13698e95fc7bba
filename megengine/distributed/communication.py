"""A collective as an operation on tensors, whose gradients go through another collective."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.flights import Collective
from ..graph.flushing import evaluate, flush
from ..graph.ranks import op
from ..graph.recorder import thread
from ..graph.source import here
from ..graph.tape import GradNode, Tape
from ..graph.tiers import partitions
from ..graph.value import Value, aval, new_handle
from ..ops.collective import FOR_ROOT, ROOTED, Axes
from ..tensor import Tensor
from . import runtime
from .flights import agree_once
from .group import Group, next_call
from .prompting import can_prompt, soon
from .waiting import Call, agree, carried_out

Pull = Callable[[Tensor | None], Tensor | None]  # None where only the root has something to give, or to get


def communicate(
    inp: Tensor, name: str, group: Group, axes: dict[str, int], pull: Pull | None, tracked: bool = True, about: str = ""
) -> Tensor | None:
    """This rank's result of a collective.

    Args:
        inp: this rank's tensor.
        name: of the collective.
        group: the ranks, the root first.
        axes: dimensions, by name.
        pull: from the cotangent of the result to that of ``inp``; None for one that has no gradient.
        tracked: whether a gradient may be asked for.
        about: what the tensor is, in which the ranks have to agree.

    Returns:
        The result; None for one that only the root has.

    Raises:
        RuntimeError: the ranks call different collectives, or one does not come in time.
    """
    value = inp._value
    if value.aval.dtype.metadata is not None:
        raise TypeError(f"{name} takes plain numbers, not {value.aval.dtype.name}: convert with astype()")
    what = f"{name} of {value.aval!r}" + "".join(f", {k}={v}" for k, v in axes.items()) + (about and f" of {about}")
    ranks, how = tuple(group.proc_ranks), tuple(axes.items())
    runtime.ran[ranks] += 1
    rooted = tracked and name in ROOTED
    if _waits(value) and not rooted:
        result, pulled = record(inp, name, ranks, how, what), None
    else:
        evaluate(value)
        call = next_call(group, what)
        pulled = _pulled_by_all(group, call, name, _recorded(inp)) if rooted else None
        if pulled is None:
            agree_once(call)
        array = carried_out(call, lambda: runtime.run(name, value.array, ranks, how))
        result = new_handle(Value(None, aval(tuple(array.shape), np.dtype(value.aval.dtype)), array, value.device))
    if name in FOR_ROOT and group.rank > 0:
        if pulled and pull is not None:
            track_sent(inp, lambda: pull(None), also=True)
        return None
    if not tracked or not result._value.aval.is_float:
        return result
    if _recorded(inp):
        node = _CollectiveNode(thread.recorder.tapes, ((inp._node, inp._slot),))
        node.name, node.pull_one, node.zero = name, None if pulled is False else pull, zero_of(inp)
        result._node, result._slot = node, 0
    elif pulled and pull is not None:
        track_received(result, pull)
    return result


class _Steps(threading.local):
    within = False


_steps = _Steps()


@contextmanager
def within_step() -> Iterator[None]:
    """A part of a training step: collectives are recorded, and run with the rest of it."""
    before, _steps.within = _steps.within, True
    try:
        yield
    finally:
        _steps.within = before


def _waits(value: Value) -> bool:
    """Whether a collective is recorded and not run at once: while gradients are recorded or computed, or a function is traced."""
    recorder = thread.recorder
    if value.device.physical != recorder.device.physical or partitions():
        return False
    part = _steps.within or recorder.tapes or recorder.capture is not None
    return bool(part) and can_prompt()


def record(inp: Tensor, name: str, ranks: tuple[int, ...], axes: Axes, what: str) -> Tensor:
    """A collective as an op of the graph that is being recorded."""
    earlier = thread.recorder.collectives
    if earlier and earlier[0].ranks != ranks:
        flush("collective")
    recorder, shape, dtype = thread.recorder, inp._value.aval.shape, inp._value.aval.dtype
    token: Any = False if recorder.token is None else recorder.token
    recorder.collectives.append(Collective(ranks, what, here(1)))  # first: applying the op may run it
    depth = recorder.node.depth
    try:
        result, after = apply(op, inp, token, name=name, ranks=ranks, axes=axes, shape=shape, dtype=dtype)
    except BaseException:
        if recorder.node.depth == depth:
            recorder.collectives.pop()
        raise
    if thread.recorder is recorder:
        recorder.token = after
        soon(recorder)
    return result  # type: ignore[no-any-return]


def _pulled_by_all(group: Group, call: Call, name: str, recorded: bool) -> bool:
    """Whether there is a gradient in which all ranks take part: if that of a rank which gives something is recorded."""
    told = agree(call, recorded)
    return any(told.values()) if name in FOR_ROOT else bool(told[group.proc_ranks[0]])


def zero_of(x: Tensor) -> Callable[[], Tensor]:
    """What makes zeros of a tensor's shape and dtype."""
    shape, dtype = x._value.aval.shape, x._value.aval.dtype
    return lambda: Tensor(np.zeros(shape, dtype))


class _CollectiveNode(GradNode):
    """The gradient node of a collective."""

    __slots__ = ("name", "pull_one", "zero")

    name: str
    pull_one: Pull | None
    zero: Callable[[], Tensor]

    def pull(self, cots: list[Tensor | None], need: tuple[int, ...]) -> Sequence[Tensor | None]:
        """The cotangent of its operand."""
        (cotangent,) = cots
        if self.pull_one is None and self.name not in ROOTED:
            raise NotImplementedError(f"{self.name} has no gradient")
        if cotangent is None:
            return [None]
        with within_step():
            given = None if self.pull_one is None else self.pull_one(cotangent)
        return [self.zero() if given is None else given]


def _recorded(x: Tensor) -> bool:
    """Whether gradients of a tensor are being recorded."""
    made_by = x._node
    return bool(thread.recorder.tapes) and made_by is not None and made_by.live() and x._value.aval.is_float


class _SentNode(GradNode):
    """The gradient node of a tensor that was sent to another rank, which sends its cotangent."""

    __slots__ = ("receive",)

    receive: Callable[[], Tensor | None]

    def pull(self, cots: list[Tensor | None], need: tuple[int, ...]) -> Sequence[Tensor | None]:
        """The cotangent of what was sent."""
        return [self.receive()]


class _ReceivedNode(GradNode):
    """The gradient node of a tensor that another rank sent, to which its cotangent goes."""

    __slots__ = ("send",)

    send: Callable[[Tensor], Any]

    def pull(self, cots: list[Tensor | None], need: tuple[int, ...]) -> Sequence[Tensor | None]:
        """Send it; nothing in this process is a gradient of it."""
        (cotangent,) = cots
        if cotangent is not None:
            self.send(cotangent)
        return [None]


def track_sent(inp: Tensor, receive: Callable[[], Tensor | None], also: bool = False) -> bool:
    """Have the next backward pass go on from a tensor that is sent; says whether it is recorded.

    Args:
        inp: what is sent.
        receive: gets its cotangent.
        also: whether to get one although the tensor is not recorded, for the sake of other ranks.
    """
    tapes = thread.recorder.tapes
    recorded = _recorded(inp)
    if not recorded and not (also and tapes):
        return False
    node = _SentNode(tapes, ((inp._node, inp._slot) if recorded else _somewhere(tapes),))
    node.receive = receive
    for tape in tapes:
        tape.sent.append(node)
    return recorded


def track_received(received: Tensor, send: Callable[[Tensor], Any]) -> None:
    """Have the backward pass that comes to a tensor send its cotangent.

    Args:
        received: what was received.
        send: takes the cotangent.
    """
    tapes = thread.recorder.tapes
    if tapes:
        node = _ReceivedNode(tapes, (_somewhere(tapes),))
        node.send = send
        received._node, received._slot = node, 0


def _somewhere(tapes: tuple[Tape, ...]) -> tuple[GradNode, int]:
    """Something attached, to which the path of a backward pass has to lead."""
    return GradNode(tapes, (), leaf_of=tapes), 0

