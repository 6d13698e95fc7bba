"""The processes of a program, each with one device, on JAX's distributed runtime: gloo between CPUs, NCCL between GPUs."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax._src.array import ArrayImpl  # JAX's public name for it checks what is known here, 0.1 ms an array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..ops.collective import COLLECTIVES, RANKS, Axes
from .executables import compiled
from .server import patience

ran: Counter[tuple[int, ...]] = Counter()  # how many collectives this rank has come to, by the ranks of the group
agreed: set[tuple[str, str]] = set()  # those that all ranks of their group were seen to call
_connected: set[tuple[int, ...]] = set()  # the groups that have communicated


def join(address: str, own: str, world_size: int, rank: int, device: int | None) -> None:
    """Connect this process with the others.

    Args:
        address: ``host:port`` of the process of rank 0.
        own: the address by which the others reach this machine.
        world_size: how many there are.
        rank: which of them this one is.
        device: the GPU that is this one's; None on CPUs.

    Raises:
        RuntimeError: it has computed already, or the others did not come in time.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    start, seconds = round(patience(300.0)), round(patience())
    try:
        jax.distributed.initialize(
            address,
            world_size,
            rank,
            local_device_ids=device,
            cluster_detection_method="deactivate",
            coordinator_bind_address=address,
            initialization_timeout=max(1, start),
            heartbeat_timeout_seconds=max(10, min(start, 100)),
            shutdown_timeout_seconds=max(1, seconds),
        )
    except RuntimeError as error:
        if "must be called before" not in str(error):
            raise
        raise RuntimeError("init_process_group has to come before the first computation with tensors") from error
    if socket.gethostbyname(socket.gethostname()) != own:
        _listen_at(own)


def _listen_at(address: str) -> None:
    """Have gloo tell the others this address; by itself it tells that of the machine's name, which may be the loopback one."""
    from jax._src import distributed, xla_bridge
    from jax._src.lib import _jax

    def client() -> Any:
        gloo = _jax.make_gloo_tcp_collectives(distributed_client=distributed.global_state.client, hostname=address)
        return xla_bridge.make_cpu_client(gloo)

    xla_bridge.register_backend_factory("cpu", client, priority=0, fail_quietly=False)


def leave() -> None:
    """Wait for the others to end, and part from them."""
    for known in (ran, agreed, _connected):
        known.clear()
    _executable.cache_clear()
    jax.distributed.shutdown()


class AcrossRanks:
    """A function of this rank's arrays, compiled as one program of all ranks of a group; each may have another one.

    Args:
        function: what is compiled, within which collectives are those of ``shard_map``.
        ranks: the group.
        options: of the compiler.
    """

    def __init__(self, function: Callable[..., Any], ranks: tuple[int, ...], options: dict[str, str] | None = None) -> None:
        of_rank = {device.process_index: device for device in reversed(jax.devices())}
        mesh = self._mesh = Mesh(np.array([of_rank[r] for r in ranks]), (RANKS,))
        everywhere = PartitionSpec()  # said of what differs between ranks: each has an array of its own
        self._ranks = ranks
        self._options = options
        self._place = NamedSharding(mesh, everywhere)

        def of_ranks(*args: Any) -> Any:
            return function(*args)

        mapped = jax.shard_map(of_ranks, mesh=mesh, in_specs=everywhere, out_specs=everywhere, check_vma=False)
        self._jitted = jax.jit(mapped, compiler_options=options)
        self._compiled: Any = None
        self._structs: list[Any] = []

    def lower(self, *args: Any) -> AcrossRanks:
        """As of what ``jax.jit`` gives."""
        self._structs = [jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=self._place) for a in args]
        return self

    def compile(self) -> Any:
        """What JAX compiled, once."""
        if self._compiled is None:
            self._compiled = compiled(self._jitted.lower(*self._structs), self._mesh, self._options)
        return self._compiled

    def compiled_for(self, args: Sequence[Any]) -> Any:
        """The same; arguments are always of the shapes and dtypes of the first ones."""
        return self.lower(*args).compile() if self._compiled is None else self._compiled

    def __call__(self, *args: Any) -> list[Any]:
        """This rank's results, which are there when it returns; the other ranks take part."""
        run = self.compiled_for(args)
        if self._ranks in _connected:
            return self._run(run, args)
        with without_gloos_words():
            results = self._run(run, args)
        _connected.add(self._ranks)
        return results

    def _run(self, run: Any, args: Sequence[Any]) -> list[Any]:
        results = run(*map(self._whole, args))
        return [result.addressable_data(0) for result in jax.block_until_ready(results)]

    def _whole(self, array: Any) -> jax.Array:
        """This rank's array as one of all ranks; nothing is moved."""
        here = isinstance(array, jax.Array) and len(array.sharding.device_set) == 1
        own: Any = array if here else jax.device_put(np.asarray(array), jax.local_devices()[0])
        return ArrayImpl(own.aval, self._place, [own], committed=True, _skip_checks=True)


def run(name: str, array: Any, ranks: tuple[int, ...], axes: Axes) -> Any:
    """This rank's result of a collective; every rank of the group calls it.

    Args:
        name: of the collective.
        array: this rank's tensor.
        ranks: the group.
        axes: dimensions, by name.
    """
    (result,) = _executable(name, ranks, axes, tuple(array.shape), np.dtype(array.dtype))(array)
    return result


@contextmanager
def without_gloos_words() -> Iterator[None]:
    """Gloo prints when it connects; what else is printed meanwhile comes after."""
    sys.stdout.flush()
    own = os.dup(1)
    try:
        with tempfile.TemporaryFile() as words:
            os.dup2(words.fileno(), 1)
            try:
                yield
            finally:
                sys.stdout.flush()
                os.dup2(own, 1)
            words.seek(0)
            rest = b"".join(line for line in words if not line.startswith(b"[Gloo] "))
        if rest:
            os.write(1, rest)
    finally:
        os.close(own)


@lru_cache(4096)
def _executable(name: str, ranks: tuple[int, ...], axes: Axes, shape: tuple[int, ...], dtype: np.dtype) -> AcrossRanks:
    """What computes a collective of tensors of a shape."""
    return AcrossRanks(lambda x: [COLLECTIVES[name](x, **dict(axes))], ranks)
