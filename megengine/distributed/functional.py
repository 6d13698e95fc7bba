"""Communication between the processes of a group, as functions of tensors.

In a group of one process each gives back its input, as a new tensor through which gradients pass unchanged. In a larger one all
ranks of the group call the same function in the same order. Within a training step, which is while gradients are recorded or
computed, a collective is an op of the graph like others; elsewhere what is pending runs first, and it at once.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.device import resolve
from ..graph.dtypes import dtype_of
from ..graph.errors import ArgumentError
from ..ops import elemwise
from ..tensor import Tensor
from .communication import Pull, communicate, track_received, track_sent, zero_of
from .group import WORLD, Group, as_group, get_client, get_rank, get_world_size

__all__ = [
    "reduce_sum", "broadcast", "all_gather", "reduce_scatter_sum", "all_reduce_sum", "all_reduce_max", "all_reduce_min",
    "gather", "scatter", "all_to_all", "remote_send", "remote_recv", "collective_comm", "CollectiveMode",
]  # fmt: skip

Ranks = Group | Sequence[int] | None


class CollectiveMode(enum.Enum):
    """What :func:`collective_comm` does."""

    REDUCE_SUM = 0
    BROADCAST = 1
    ALL_GATHER = 2
    REDUCE_SCATTER_SUM = 3
    ALL_REDUCE_SUM = 4
    ALL_REDUCE_MAX = 5
    ALL_REDUCE_MIN = 6
    ALL_REDUCE_PROD = 7
    GATHER = 8
    SCATTER = 9
    ALL_TO_ALL = 10


def collective_comm(inp: Tensor, mode: Any, group: Ranks, device: Any) -> Tensor | None:
    """One of the other functions by the name of its mode; what they have in common.

    Args:
        inp: input.
        mode: a ``CollectiveMode``, or its name.
        group: the processes, as a group or a list of ranks; None is ``WORLD``, all there are.
        device: where the result is; None or an empty text where the input is. The number of a stream has no meaning here.

    Returns:
        In a group of one process a copy of the input; None for those that have no result. Tensors are joined and cut along
        their first dimension.

    Raises:
        TypeError: the input is not a tensor.
        ValueError: no such mode.
        AssertionError: not a group, or one without this process.
        RuntimeError: the ranks call different collectives, or one did not come in time.

    Example:
        >>> F.distributed.collective_comm(Tensor([1.0, 2.0]), "ALL_REDUCE_SUM", None, None)
        Tensor([1. 2.], device=xpux:0)
    """
    return _collective(inp, mode, group, device)


def _collective(
    inp: Tensor, mode: Any, group: Ranks, device: Any, axis: int = 0, concat_axis: int = 0, tracked: bool = True, about: str = ""
) -> Any:
    if not isinstance(inp, Tensor):
        raise ArgumentError(f"a collective function takes a Tensor, not {type(inp).__name__}")
    name = mode if isinstance(mode, str) else getattr(mode, "name", mode)
    if name not in CollectiveMode.__members__:
        raise ValueError(f"mode={mode!r}: write one of {', '.join(CollectiveMode.__members__)}")
    members = as_group(group)
    target = resolve(device) if device else inp.device
    if members.size > 1:
        axes = {"axis": axis, "concat_axis": concat_axis} if name in _WITH_AXES else {}
        out = communicate(inp, name, members, axes, _pull(name, inp, members, axis, concat_axis), tracked, about)
    else:
        out = apply(elemwise.copy, inp) if target.name == inp.device.name else inp.to(target.name)
    return out if out is None or target.name == out.device.name else out.to(target.name)


_WITH_AXES = ("ALL_GATHER", "GATHER", "REDUCE_SCATTER_SUM", "SCATTER", "ALL_TO_ALL")


def _pull(name: str, inp: Tensor, group: Group, axis: int, concat_axis: int) -> Pull | None:
    """From the cotangent of a collective's result to that of its operand, in each rank."""
    shape, dtype = inp._value.aval.shape, inp._value.aval.dtype
    zero = zero_of(inp)

    def of_gathered(dy: Any) -> Any:
        whole = [n * group.size if k == axis else n for k, n in enumerate(shape)]
        return scatter(Tensor(np.zeros(whole, dtype)) if dy is None else dy, group, axis=axis)

    def of_chosen(dy: Any) -> Any:
        chosen = apply(elemwise.equal, inp.detach(), _collective(inp.detach(), name, group, None))
        return apply(elemwise.mul, all_reduce_sum(dy, group), chosen.astype(dy.dtype))

    pulls: dict[str, Any] = {
        "ALL_REDUCE_SUM": lambda dy: all_reduce_sum(dy, group),
        "ALL_REDUCE_MAX": of_chosen,
        "ALL_REDUCE_MIN": of_chosen,
        "REDUCE_SUM": lambda dy: broadcast(zero() if dy is None else dy, group),
        "BROADCAST": lambda dy: reduce_sum(dy, group),
        "GATHER": of_gathered,
        "ALL_GATHER": lambda dy: reduce_scatter_sum(dy, group, axis=axis),
        "REDUCE_SCATTER_SUM": lambda dy: all_gather(dy, group, axis=axis),
        "SCATTER": lambda dy: gather(dy, group, axis=axis),
        "ALL_TO_ALL": lambda dy: all_to_all(dy, group, split_axis=concat_axis, concat_axis=axis),
    }
    return pulls.get(name)


def _axis(inp: Tensor, axis: int, name: str, error: type[Exception] = IndexError) -> None:
    if not isinstance(inp, Tensor):
        raise ArgumentError(f"{name} takes a Tensor, not {type(inp).__name__}")
    if not isinstance(axis, int) or not 0 <= axis < inp.ndim:
        raise error(f"{name}: the input of shape {inp.shape} has no axis {axis!r}")


def _divisible(inp: Tensor, axis: int, group: Ranks, name: str) -> None:
    _axis(inp, axis, name)
    parts = as_group(group).size
    if inp.shape[axis] % parts:
        raise AssertionError(f"{name}: axis {axis} of shape {inp.shape} cannot be divided by {parts} processes")


def reduce_sum(inp: Tensor, group: Ranks = WORLD, device: Any = None) -> Tensor | None:
    r"""The sum :math:`\sum_r x_r` of the processes' tensors, for the root; None for the others.

    Args:
        inp: of one shape in all processes.
        group: the processes, as a group or a list of ranks, the root first. Default: all
        device: where the result is. Default: where the input is

    Raises:
        TypeError: the input is not a tensor.
        AssertionError: not a group, or one without this process.

    Example:
        >>> F.distributed.reduce_sum(Tensor([1.0, 2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    return _collective(inp, CollectiveMode.REDUCE_SUM, group, device)  # type: ignore[no-any-return]


def broadcast(inp: Tensor, group: Ranks = WORLD, device: Any = None, tracked: bool = True) -> Tensor:
    """The root's tensor, for all processes.

    Args:
        inp: what the root gives; that of the others is not looked at.
        group: the processes, as a group or a list of ranks, the root first. Default: all
        device: where the result is. Default: where the input is
        tracked: whether gradients go back to the root, which the processes then ask each other.

    Raises:
        TypeError: the input is not a tensor.
        AssertionError: not a group, or one without this process.

    Example:
        >>> F.distributed.broadcast(Tensor([1.0, 2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    return _collective(inp, CollectiveMode.BROADCAST, group, device, tracked=tracked)  # type: ignore[no-any-return]


def all_gather(inp: Tensor, group: Ranks = WORLD, device: Any = None, axis: int = 0) -> Tensor:
    """The processes' tensors joined along a dimension, for all processes.

    Args:
        inp: of one shape in all processes.
        group: the processes, as a group or a list of ranks, in the order of joining. Default: all
        device: where the result is. Default: where the input is
        axis: the dimension, not negative.

    Raises:
        TypeError: the input is not a tensor.
        IndexError: no such dimension.
        AssertionError: not a group, or one without this process.

    Example:
        >>> F.distributed.all_gather(Tensor([[1.0, 2.0]]), axis=1)
        Tensor([[1. 2.]], device=xpux:0)
    """
    _axis(inp, axis, "all_gather")
    return _collective(inp, CollectiveMode.ALL_GATHER, group, device, axis)  # type: ignore[no-any-return]


def reduce_scatter_sum(inp: Tensor, group: Ranks = WORLD, device: Any = None, axis: int = 0) -> Tensor:
    """The sum of the processes' tensors, cut along a dimension into one part for each process.

    Args:
        inp: of one shape in all processes.
        group: the processes, as a group or a list of ranks, in the order of the parts. Default: all
        device: where the result is. Default: where the input is
        axis: the dimension, not negative.

    Raises:
        TypeError: the input is not a tensor.
        IndexError: no such dimension.
        AssertionError: its size is no multiple of the number of processes; not a group, or one without this process.

    Example:
        >>> F.distributed.reduce_scatter_sum(Tensor([1.0, 2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    _divisible(inp, axis, group, "reduce_scatter_sum")
    return _collective(inp, CollectiveMode.REDUCE_SCATTER_SUM, group, device, axis)  # type: ignore[no-any-return]


def all_reduce_sum(inp: Tensor, group: Ranks = WORLD, device: Any = None) -> Tensor:
    r"""The sum :math:`\sum_r x_r` of the processes' tensors, for all processes.

    Args:
        inp: of one shape in all processes.
        group: the processes, as a group or a list of ranks. Default: all
        device: where the result is. Default: where the input is

    Raises:
        TypeError: the input is not a tensor.
        AssertionError: not a group, or one without this process.

    Example:
        >>> loss = Tensor([0.5])
        >>> F.distributed.all_reduce_sum(loss) / megengine.distributed.get_world_size()
        Tensor([0.5], device=xpux:0)
    """
    return _collective(inp, CollectiveMode.ALL_REDUCE_SUM, group, device)  # type: ignore[no-any-return]


def reduced(inp: Tensor, group: Group, about: str) -> Tensor:
    """The sum over the processes of what ``about`` names, in which they have to agree."""
    return _collective(inp, CollectiveMode.ALL_REDUCE_SUM, group, None, about=about)  # type: ignore[no-any-return]


def all_reduce_max(inp: Tensor, group: Ranks = WORLD, device: Any = None) -> Tensor:
    r"""The greatest :math:`\max_r x_r` of the processes' tensors, element by element, for all processes.

    Args:
        inp: of one shape in all processes.
        group: the processes, as a group or a list of ranks. Default: all
        device: where the result is. Default: where the input is

    Raises:
        TypeError: the input is not a tensor.
        AssertionError: not a group, or one without this process.

    Example:
        >>> F.distributed.all_reduce_max(Tensor([1.0, 2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    return _collective(inp, CollectiveMode.ALL_REDUCE_MAX, group, device)  # type: ignore[no-any-return]


def all_reduce_min(inp: Tensor, group: Ranks = WORLD, device: Any = None) -> Tensor:
    r"""The least :math:`\min_r x_r` of the processes' tensors, element by element, for all processes.

    Args:
        inp: of one shape in all processes.
        group: the processes, as a group or a list of ranks. Default: all
        device: where the result is. Default: where the input is

    Raises:
        TypeError: the input is not a tensor.
        AssertionError: not a group, or one without this process.

    Example:
        >>> F.distributed.all_reduce_min(Tensor([1.0, 2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    return _collective(inp, CollectiveMode.ALL_REDUCE_MIN, group, device)  # type: ignore[no-any-return]


def gather(inp: Tensor, group: Ranks = WORLD, device: Any = None, axis: int = 0) -> Tensor | None:
    """The processes' tensors joined along a dimension, for the root; None for the others.

    Args:
        inp: of one shape in all processes.
        group: the processes, as a group or a list of ranks, in the order of joining, the root first. Default: all
        device: where the result is. Default: where the input is
        axis: the dimension, not negative.

    Raises:
        TypeError: the input is not a tensor.
        AssertionError: no such dimension; not a group, or one without this process.

    Example:
        >>> F.distributed.gather(Tensor([1.0, 2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    _axis(inp, axis, "gather", AssertionError)
    return _collective(inp, CollectiveMode.GATHER, group, device, axis)  # type: ignore[no-any-return]


def scatter(inp: Tensor, group: Ranks = WORLD, device: Any = None, axis: int = 0) -> Tensor:
    """The root's tensor, cut along a dimension into one part for each process.

    Args:
        inp: what the root gives; that of the others is not looked at.
        group: the processes, as a group or a list of ranks, in the order of the parts, the root first. Default: all
        device: where the result is. Default: where the input is
        axis: the dimension, not negative.

    Raises:
        TypeError: the input is not a tensor.
        IndexError: no such dimension.
        AssertionError: its size is no multiple of the number of processes; not a group, or one without this process.

    Example:
        >>> F.distributed.scatter(Tensor([1.0, 2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    _divisible(inp, axis, group, "scatter")
    return _collective(inp, CollectiveMode.SCATTER, group, device, axis)  # type: ignore[no-any-return]


def all_to_all(
    inp: Tensor, group: Ranks = WORLD, device: Any = None, split_axis: int = 0, concat_axis: int = 0
) -> Tensor:
    """Each process cuts its tensor into one part for each process, and joins the parts it gets.

    Args:
        inp: of one shape in all processes.
        group: the processes, as a group or a list of ranks, in the order of the parts. Default: all
        device: where the result is. Default: where the input is
        split_axis: the dimension to cut along, not negative.
        concat_axis: the dimension to join along, not negative.

    Raises:
        TypeError: the input is not a tensor.
        IndexError: no such dimension.
        AssertionError: its size is no multiple of the number of processes; not a group, or one without this process.

    Example:
        >>> F.distributed.all_to_all(Tensor([[1.0, 2.0]]), split_axis=1)
        Tensor([[1. 2.]], device=xpux:0)
    """
    _divisible(inp, split_axis, group, "all_to_all")
    _axis(inp, concat_axis, "all_to_all")
    return _collective(inp, CollectiveMode.ALL_TO_ALL, group, device, split_axis, concat_axis)  # type: ignore[no-any-return]


def _peer(name: str, rank: Any) -> None:
    world = get_world_size()
    if not isinstance(rank, int):
        raise TypeError(f"{name}: a rank is an int, not {rank!r}")
    if rank == get_rank():
        raise AssertionError(f"{name}: rank {rank} is this process itself")
    if not 0 <= rank < world:
        noun = "one process, of rank 0" if world == 1 else f"{world} processes, of ranks 0 to {world - 1}"
        raise AssertionError(f"{name}: there is no rank {rank}, but {noun}")


_sent: Counter[str] = Counter()


def _next_key(source: int, target: int) -> str:
    """The key under which a sender describes what comes next."""
    pair = f"{source} to {target}"
    _sent[pair] += 1
    return f"sent from {pair}, number {_sent[pair]}"


def remote_send(inp: Tensor, dest_rank: int) -> None:
    """Send a tensor to another process, which calls :func:`remote_recv`.

    Its gradient comes back when both processes call ``backward``: this one for what it has, or ``gm.backward([])``.

    Args:
        inp: the tensor.
        dest_rank: rank of the other process.

    Raises:
        AssertionError: there is no other process of that rank.

    Example:
        >>> F.distributed.remote_send(Tensor([1.0]), 1)
        Traceback (most recent call last):
        AssertionError: remote_send: there is no rank 1, but one process, of rank 0
    """
    if not isinstance(inp, Tensor):
        raise ArgumentError(f"remote_send takes a Tensor, not {type(inp).__name__}")
    _peer("remote_send", dest_rank)
    sent = track_sent(inp, lambda: remote_recv(dest_rank))
    get_client().user_set(_next_key(get_rank(), dest_rank), [list(inp._value.aval.shape), inp.dtype.name, sent])
    broadcast(inp.detach(), Group([get_rank(), dest_rank]), tracked=False)


def remote_recv(src_rank: int, device: Any = None, inp: Tensor | None = None) -> Tensor:
    """Wait for the tensor that another process sends with :func:`remote_send`.

    Args:
        src_rank: rank of the other process.
        device: where the result is. Default: the default device
        inp: not looked at: gradients find their way back to the sender without it.

    Raises:
        AssertionError: there is no other process of that rank.

    Example:
        >>> F.distributed.remote_recv(0)
        Traceback (most recent call last):
        AssertionError: remote_recv: rank 0 is this process itself
    """
    _peer("remote_recv", src_rank)
    shape, dtype, tracked = get_client().user_pop(_next_key(src_rank, get_rank()))
    room = Tensor(np.zeros(shape, dtype_of(dtype)))
    received = broadcast(room, Group([src_rank, get_rank()]), device, tracked=False)
    if tracked:
        track_received(received, lambda cotangent: remote_send(cotangent, src_rank))
    return received
