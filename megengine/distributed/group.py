"""Which processes work together."""

from __future__ import annotations

import atexit
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ..device import get_default_device, set_default_device
from ..graph.flights import set_carrier
from ..graph.flushing import begin_recorded
from ..graph.source import here, text
from .machines import address_towards, detected, free_port, is_loopback
from .server import Client, Server, patience
from .waiting import Call, CollectiveError, agree, gone

__all__ = [
    "Group", "WORLD", "init_process_group", "is_distributed", "get_rank", "get_world_size", "get_backend",
    "get_py_server_addr", "get_mm_server_addr", "get_client", "new_group", "group_barrier", "override_backend",
]  # fmt: skip

BACKENDS = ("auto", "nccl", "rccl", "gloo")
DEVICE_TYPES = ("xpu", "gpu", "cuda", "rocm", "cpu")
NO_GROUP = "please call init_process_group first"


@dataclass
class _State:
    """What :func:`init_process_group` was told."""

    master_ip: str
    port: int
    world_size: int
    rank: int
    device: int
    backend: str
    device_type: str
    client: Client | None = field(default=None, repr=False)
    server: Server | None = field(default=None, repr=False)
    addresses: tuple[str, ...] = ()  # of the machines, by rank
    calls: Counter[str] = field(default_factory=Counter, repr=False)  # what has been done together, by group


_state: _State | None = None
_streams = itertools.count(1)


def _initialised() -> _State:
    if _state is None:
        raise AssertionError(NO_GROUP)
    return _state


class Group:
    """Ranks of processes that communicate with each other; the first one is the root.

    Args:
        proc_ranks: the ranks, this process's among them; empty for all processes there are, as in ``WORLD``.

    Raises:
        AssertionError: not such ranks.

    Example:
        >>> group = megengine.distributed.Group([0])
        >>> group.size, group.rank, group.key
        (1, 0, '0')
    """

    def __init__(self, proc_ranks: Sequence[int]) -> None:
        self.stream = next(_streams)
        self._ranks: list[int] | None = None
        if len(proc_ranks):
            self.reset(proc_ranks)

    def __repr__(self) -> str:
        return f"Group({self.proc_ranks})"

    def reset(self, proc_ranks: Sequence[int]) -> None:
        """Make it the group of other ranks."""
        self.check(proc_ranks)
        self._ranks = list(proc_ranks)

    def check(self, proc_ranks: Sequence[int]) -> None:
        """Refuse what are not ranks of processes that there are, this one among them.

        Raises:
            AssertionError: naming the rank.
        """
        world = get_world_size()
        for rank in proc_ranks:
            if not isinstance(rank, int) or not 0 <= rank < world:
                noun = "one process, of rank 0" if world == 1 else f"{world} processes, of ranks 0 to {world - 1}"
                raise AssertionError(f"{rank!r} in {list(proc_ranks)} is no rank: there is {noun}")
        if get_rank() not in proc_ranks:
            raise AssertionError(f"the group {list(proc_ranks)} lacks this process, which has rank {get_rank()}")

    @property
    def proc_ranks(self) -> list[int]:
        """The ranks."""
        return list(range(get_world_size())) if self._ranks is None else self._ranks

    @property
    def size(self) -> int:
        """Number of processes."""
        return len(self.proc_ranks)

    @property
    def key(self) -> str:
        """The ranks as a text, such as ``"0,1"``."""
        return ",".join(map(str, self.proc_ranks))

    @property
    def rank(self) -> int:
        """Place of this process within the group."""
        return self.proc_ranks.index(get_rank())

    @property
    def comp_node(self) -> str:
        """Name of this process's device, with a stream number of the group's own."""
        name = get_default_device() if _state is None else f"{_state.device_type}{_state.device}"
        return f"{name.partition(':')[0]}:{self.stream}"

    @property
    def is_single_machine(self) -> bool:
        """Whether all processes are on this machine."""
        addresses = () if _state is None else _state.addresses
        return len({addresses[rank] for rank in self.proc_ranks}) == 1 if addresses else True


WORLD = Group([])


def as_group(group: Group | Sequence[int] | None) -> Group:
    """A group, from a group, a list of ranks, or None for all processes.

    Raises:
        AssertionError: something else.
    """
    if isinstance(group, Group):
        return group
    if group is None:
        return WORLD
    if isinstance(group, (list, tuple)):
        return Group(group)
    raise AssertionError(f"group must be a Group or a list of ranks, not {group!r}")


def init_process_group(
    master_ip: str | None = None,
    port: int | None = None,
    world_size: int | None = None,
    rank: int | None = None,
    device: int | None = None,
    backend: str | None = "auto",
    device_type: str = "xpu",
) -> None:
    """Join the processes that train together, and choose this process's device.

    With one process there is nobody to join: no connection is made, and random numbers go on as seeded. With several, each
    computes on one device; this has to come before the first computation of its process. Without arguments, the first five are
    what Slurm, Open MPI or Kubernetes have told the process, and rank 0 has the :class:`Server`.

    Args:
        master_ip: address of the machine that has the process of rank 0, as the others reach it.
        port: where a :class:`Server` listens there.
        world_size: number of processes, on all machines together.
        rank: which of them this one is.
        device: number of the device that becomes this process's default.
        backend: ``"auto"``, ``"nccl"``, ``"rccl"`` or ``"gloo"``; one process uses none.
        device_type: ``"xpu"``, ``"gpu"``, ``"cuda"``, ``"rocm"`` or ``"cpu"``.

    Raises:
        TypeError: an argument of another type.
        ValueError: no such backend or type of device.
        AssertionError: called before, or numbers out of range.
        ConnectionError: no server answers there.
        RuntimeError: this process has computed already, others did not come in time, or nothing tells the process its place.

    Example:
        >>> import megengine.distributed as dist
        >>> @dist.launcher(n_gpus=1)           # calls init_process_group, and forgets the group afterwards
        ... def worker():
        ...     return dist.is_distributed(), dist.get_rank(), dist.get_world_size()
        >>> worker()
        [(True, 0, 1)]
    """
    global _state
    if _state is not None:
        raise AssertionError("init_process_group should be called only once")
    server: Server | None = None
    if (master_ip, port, world_size, rank, device) == (None,) * 5:
        master_ip, port, world_size, rank, device = detected()
        server = Server(port, "127.0.0.1" if is_loopback(master_ip) else "0.0.0.0") if rank == 0 else None
    state = _checked(master_ip, port, world_size, rank, device, backend, device_type)
    state.server = server
    if state.world_size > 1:
        _join(state)
        atexit.register(_at_exit)
    else:
        set_default_device(f"{device_type}{device}")
    _state = state


def _checked(
    master_ip: Any, port: Any, world_size: Any, rank: Any, device: Any, backend: Any, device_type: Any
) -> _State:
    if not isinstance(master_ip, str):
        raise TypeError(f"master_ip must be a string, not {master_ip!r}")
    for name, value in (("port", port), ("world_size", world_size), ("rank", rank), ("device", device)):
        if not isinstance(value, int):
            raise TypeError(f"{name} must be an int, not {value!r}")
    if backend not in BACKENDS:
        raise ValueError(f"backend={backend!r}: write one of {', '.join(BACKENDS)}")
    if device_type not in DEVICE_TYPES:
        raise ValueError(f"device_type={device_type!r}: write one of {', '.join(DEVICE_TYPES)}")
    if world_size < 1 or not 0 <= rank < world_size or port <= 0:
        raise AssertionError(f"world_size={world_size}, rank={rank}, port={port}: out of range")
    return _State(master_ip, port, world_size, rank, device, backend, device_type)


def _join(state: _State) -> None:
    """Connect with the other processes; rank 0 tells them by the server where."""
    from . import prompting, runtime
    from .flights import Carrier

    address = address_towards(state.master_ip, state.port)
    state.client = Client(state.master_ip, state.port)
    coordinator = f"{address}:{free_port(address)}" if state.rank == 0 else ""
    known = state.client.agree(
        "join", state.rank, state.world_size, [state.world_size, address, coordinator], patience(300.0)
    )
    where = f"the Server at {state.master_ip}:{state.port}"
    for other, (size, *_) in known.items():
        if size != state.world_size:
            raise RuntimeError(
                f"world_size={state.world_size} in rank {state.rank}, {size} in rank {other}, at {where}"
            )
    absent = [str(rank) for rank in range(state.world_size) if str(rank) not in known]
    if absent:
        raise RuntimeError(
            f"rank {', '.join(absent)} did not come to {where} within {patience(300.0):g} s (MEGENGINE_DISTRIBUTED_TIMEOUT)"
        )
    state.addresses = tuple(known[str(rank)][1] for rank in range(state.world_size))
    gpus = state.device_type in ("gpu", "cuda", "rocm")
    runtime.join(known["0"][2], address, state.world_size, state.rank, state.device if gpus else None)
    set_carrier(Carrier(call_of))
    prompting.start()
    try:
        set_default_device(f"{state.device_type}0")
    except RuntimeError as error:
        if "coordination" not in str(error):
            raise
        raise CollectiveError(f"rank 0 was lost while the ranks began: {error}") from error


def all_end(how: str = "", wait: bool = True) -> bool:
    """Say that this process has nothing more to do, and wait for the others; whether all have returned well.

    Args:
        how: empty for one that has returned; a word for one that has not, or that still hangs in a collective.
        wait: whether to wait.
    """
    state = _initialised()
    get_client().waiting(state.rank, gone(dict(state.calls)))
    while True:  # a process that fails instead is noticed by its launcher, which ends this one
        ends = get_client().agree("end", state.rank, state.world_size, how, 3600.0 if wait else 0.0)
        if not wait or len(ends) == state.world_size:
            return not any(ends.values())


def _at_exit() -> None:
    """Part from the others at the end of a program that no launcher runs; who waits for this rank learns that it has gone."""
    if _state is not None:
        with suppress(ConnectionError, CollectiveError):
            if not hasattr(sys, "last_value"):  # nor does a program go on that has failed
                begin_recorded()
            get_client().waiting(_state.rank, gone(dict(_state.calls)))
        forget()


def forget() -> None:
    """Undo :func:`init_process_group`; several processes wait for each other."""
    global _state
    if _state is not None and _state.world_size > 1:
        from . import prompting, runtime

        atexit.unregister(_at_exit)
        set_carrier(None)
        prompting.stop()
        runtime.leave()
    if _state is not None and _state.server is not None:
        _state.server.close()
    _state = None


@contextmanager
def override_backend(new_backend: str) -> Iterator[None]:
    """Use another backend inside the ``with`` block.

    Args:
        new_backend: as for :func:`init_process_group`.

    Raises:
        AssertionError: there is no process group.
        ValueError: no such backend.

    Example:
        >>> import megengine.distributed as dist
        >>> @dist.launcher(n_gpus=1)
        ... def worker():
        ...     with dist.override_backend("gloo"):
        ...         return dist.get_backend()
        >>> worker()
        ['gloo']
    """
    before = get_backend()
    set_backend(new_backend)
    try:
        yield
    finally:
        set_backend(before)


def set_backend(backend: str) -> None:
    """Choose the backend of the process group.

    Raises:
        AssertionError: there is no process group.
        ValueError: no such backend.
    """
    state = _initialised()
    if backend not in BACKENDS:
        raise ValueError(f"backend={backend!r}: write one of {', '.join(BACKENDS)}")
    state.backend = backend


def is_distributed() -> bool:
    """Whether there is a process group.

    Example:
        >>> megengine.distributed.is_distributed()
        False
    """
    return _state is not None


def get_rank() -> int:
    """Rank of this process, 0 without a process group.

    Example:
        >>> megengine.distributed.get_rank()
        0
    """
    return 0 if _state is None else _state.rank


def get_world_size() -> int:
    """Number of processes, 1 without a process group.

    Example:
        >>> megengine.distributed.get_world_size()
        1
    """
    return 1 if _state is None else _state.world_size


def get_backend() -> str:
    """Name of the backend.

    Raises:
        AssertionError: there is no process group.

    Example:
        >>> megengine.distributed.get_backend()
        Traceback (most recent call last):
        AssertionError: please call init_process_group first
    """
    return _initialised().backend


def get_py_server_addr() -> tuple[str, int]:
    """Address and port of the :class:`Server`.

    Raises:
        AssertionError: there is no process group.

    Example:
        >>> import megengine.distributed as dist
        >>> dist.launcher(dist.get_py_server_addr, n_gpus=1, port=23456)()
        [('localhost', 23456)]
    """
    state = _initialised()
    return state.master_ip, state.port


def get_mm_server_addr() -> tuple[str, int]:
    """Address and port where processes find each other; here that of the one :class:`Server`.

    Raises:
        AssertionError: there is no process group.

    Example:
        >>> import megengine.distributed as dist
        >>> dist.launcher(dist.get_mm_server_addr, n_gpus=1, port=23456)()
        [('localhost', 23456)]
    """
    return get_py_server_addr()


def get_client() -> Client:
    """The connection to the :class:`Server`, for exchanging small values; made when first asked for.

    Raises:
        AssertionError: there is no process group.
        ConnectionError: no server answers at its address.

    Example:
        >>> import megengine.distributed as dist
        >>> @dist.launcher(n_gpus=1)
        ... def worker():
        ...     dist.get_client().user_set("epoch", 3)
        ...     return dist.get_client().user_get("epoch")
        >>> worker()
        [3]
    """
    state = _initialised()
    if state.client is None:
        state.client = Client(state.master_ip, state.port)
    return state.client


def new_group(proc_ranks: list[int]) -> Group:
    """A group of some of the processes.

    Args:
        proc_ranks: their ranks, the root first.

    Raises:
        AssertionError: not ranks of processes, or this one is not among them.

    Example:
        >>> megengine.distributed.new_group([0]).size
        1
    """
    return Group(proc_ranks)


def group_barrier(group: Group = WORLD) -> None:
    """Wait until all processes of a group are here; one process goes on at once.

    Args:
        group: the group.

    Raises:
        AssertionError: not a group.
        RuntimeError: a process did not come in time.

    Example:
        >>> megengine.distributed.group_barrier()
        >>> megengine.distributed.group_barrier([0])
        Traceback (most recent call last):
            ...
        AssertionError: group must be a Group, not [0]
    """
    if not isinstance(group, Group):
        raise AssertionError(f"group must be a Group, not {group!r}")
    if group.size > 1:
        agree(next_call(group, "group_barrier"))


def next_call(group: Group, what: str) -> Call:
    """What this rank is about to do together with the others of a group, at the line of the user's program."""
    begin_recorded()  # it comes after them in all ranks
    return call_of(group.proc_ranks, [(what, text(here(1)))])


def call_of(ranks: Sequence[int], steps: Sequence[tuple[str, str]]) -> Call:
    """What this rank is about to do together with others, one after the other: what, and at which line."""
    state = _initialised()
    state.calls[",".join(map(str, ranks))] += len(steps)
    return Call(get_client(), state.rank, state.world_size, list(ranks), dict(state.calls), *steps[0], steps)
