"""Running a function as the processes that train together."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .._help.ranges import integer
from ..device import get_default_device, get_device_count, set_default_device, what_is_xpu
from ..graph.flushing import full_sync
from ..logger import get_logger
from .group import forget, init_process_group, is_distributed
from .server import Server

__all__ = ["launcher"]

logger = get_logger(__name__)


class launcher:
    """Decorator: calls of the function run it once on each device, and give the list of what it returned.

    A single process is the calling one: the function runs in it, with a process group of size 1, which is gone afterwards as is
    a change of the default device. Several are new interpreters, to which the function, its arguments and what it refers to are
    sent, tensors as their numbers, and which end with it; there an error of one ends all, and Ctrl-C is passed on.
    ``exit(0)`` ends the function and gives None.

    Args:
        func: the function.
        n_gpus: number of processes on this machine. Default: one for each GPU; 1 on a CPU, of which several may share the cores
        world_size: number of processes on all machines, each of which runs the program with a launcher. Default: ``n_gpus``
        rank_start: rank of the first process of this machine.
        master_ip: address of the machine that has rank 0, as the others reach it.
        port: where the server for exchanging values listens there, which the launcher of rank 0 starts. Default: a free port
        device_type: ``"xpu"``, ``"gpu"``, ``"cuda"``, ``"rocm"`` or ``"cpu"``.
        backend: ``"auto"``, ``"gloo"`` (between CPUs) or ``"nccl"`` (between GPUs): JAX takes the one of the device.

    Raises:
        ValueError: ranks that cannot be, or no port although there are other machines.
        ConnectionError: no server answers at ``master_ip`` and ``port``.
        AssertionError: called within a process group; or a process ended with an error, or with ``exit`` and a status other
            than 0: it names the rank, and its cause is the error.

    Example:
        >>> import megengine.distributed as dist
        >>> def worker(scale):
        ...     return (dist.get_rank() + 1) * scale
        >>> dist.launcher(worker, n_gpus=1)(10)
        [10]
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if not args and "func" not in kwargs:
            return functools.partial(cls, **kwargs)
        return super().__new__(cls)

    def __init__(
        self,
        func: Callable[..., Any],
        n_gpus: int | None = None,
        world_size: int | None = None,
        rank_start: int = 0,
        master_ip: str = "localhost",
        port: int = 0,
        device_type: str = "xpu",
        backend: str = "auto",
    ) -> None:
        if not callable(func):
            raise TypeError(f"launcher takes a function, not {func!r}")
        functools.update_wrapper(self, func)
        self.func = func
        # A machine without GPUs counts none, and computes in one process all the same.
        self.n_gpus = _devices(device_type) if n_gpus is None else max(integer("n_gpus", n_gpus, 0), 1)
        self.world_size = self.n_gpus if world_size is None else integer("world_size", world_size, 1)
        rank_start, port = integer("rank_start", rank_start, 0), integer("port", port, 0)
        if not 0 <= rank_start <= self.world_size - self.n_gpus:
            raise ValueError(
                f"rank_start={rank_start} with n_gpus={self.n_gpus} processes here and world_size={self.world_size} in all"
            )
        if self.world_size > self.n_gpus and port == 0:
            raise ValueError(
                f"world_size={self.world_size} with n_gpus={self.n_gpus}: the other machines have to know the port"
            )
        self.rank_start = rank_start
        self.master_ip = master_ip
        self.port = port
        self.device_type = device_type
        self.backend = backend

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:
        if is_distributed():
            raise AssertionError("a process of a process group cannot launch another")
        if self.world_size > 1:
            return self._launch(args, kwargs)
        device = get_default_device()
        server = Server(self.port, "127.0.0.1")
        try:
            init_process_group(
                self.master_ip, server.py_server_port, 1, self.rank_start, 0, self.backend, self.device_type
            )
            result = self._run(args, kwargs)
            full_sync()
        finally:
            forget()
            server.close()
            set_default_device(device)
        return [result]

    def _launch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        from .machines import Launchers, is_loopback
        from .processes import ENDING, launch

        elsewhere = self.world_size > self.n_gpus
        local = not elsewhere or is_loopback(self.master_ip)
        server = Server(self.port, "127.0.0.1" if local else "0.0.0.0") if self.rank_start == 0 else None
        port = self.port if server is None else server.py_server_port
        ranks = range(self.rank_start, self.rank_start + self.n_gpus)
        groups = [
            (self.master_ip, port, self.world_size, rank, k, self.backend, self.device_type)
            for k, rank in enumerate(ranks)
        ]
        try:
            return launch(
                self.func, args, kwargs, groups, Launchers(self.master_ip, port, ranks) if elsewhere else None
            )
        finally:
            if server is not None:
                if elsewhere:
                    server.linger(ENDING)
                server.close()

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return self.func(*args, **kwargs)
        except SystemExit as end:
            if end.code not in (None, 0):
                raise AssertionError(f"process {self.rank_start} exited with code {end.code}") from end
            logger.warning("process %d exited with code 0 but did not return a value", self.rank_start)
            return None


def _devices(device_type: str) -> int:
    # A processor counts its cores, but one process computes with all of them.
    kind = what_is_xpu() if device_type == "xpu" else device_type
    return 1 if kind == "cpu" else max(1, get_device_count(kind))
