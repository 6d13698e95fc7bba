"""Running a function as the processes that train together."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

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
        world_size: number of processes on all machines; ``n_gpus`` in this release, as by default.
        rank_start: rank of the first process of this machine.
        master_ip: address of the machine that has rank 0.
        port: where the server for exchanging values listens. Default: a free port
        device_type: ``"xpu"``, ``"gpu"``, ``"cuda"``, ``"rocm"`` or ``"cpu"``.
        backend: ``"auto"``, ``"gloo"`` (between CPUs) or ``"nccl"`` (between GPUs): JAX takes the one of the device.

    Raises:
        NotImplementedError: processes on other machines.
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
        self.n_gpus = _devices(device_type) if n_gpus is None else max(n_gpus, 1)
        self.world_size = self.n_gpus if world_size is None else world_size
        if self.world_size != self.n_gpus:
            raise NotImplementedError(
                f"world_size={self.world_size} with n_gpus={self.n_gpus}: this release of megengine.distributed runs on one "
                "machine"
            )
        self.rank_start = rank_start
        self.master_ip = master_ip
        self.port = port
        self.device_type = device_type
        self.backend = backend

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:
        if is_distributed():
            raise AssertionError("a process of a process group cannot launch another")
        if self.n_gpus > 1:
            return self._launch(args, kwargs)
        device = get_default_device()
        server = Server(self.port)
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
        from .processes import launch

        server = Server(self.port)
        try:
            groups = [
                (
                    self.master_ip,
                    server.py_server_port,
                    self.world_size,
                    self.rank_start + k,
                    k,
                    self.backend,
                    self.device_type,
                )
                for k in range(self.n_gpus)
            ]
            return launch(self.func, args, kwargs, groups)
        finally:
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
