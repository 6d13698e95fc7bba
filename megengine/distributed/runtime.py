"""The processes of a program, each with one device, on JAX's distributed runtime: gloo between CPUs, NCCL between GPUs."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .collectives import COLLECTIVES
from .server import patience

_RANKS = "ranks"
ran: Counter[tuple[int, ...]] = Counter()  # how many collectives there have been, by the ranks of the group
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


def run(name: str, array: Any, ranks: tuple[int, ...], axes: tuple[tuple[str, int], ...]) -> Any:
    """This rank's result of a collective; every rank of the group calls it.

    Args:
        name: of the collective.
        array: this rank's tensor.
        ranks: the group.
        axes: dimensions, by name.
    """
    compiled, sharding, shared = _executable(name, ranks, axes)
    local = jax.device_put(np.asarray(array)[np.newaxis], jax.local_devices()[0])
    whole = jax.make_array_from_single_device_arrays((len(ranks), *local.shape[1:]), sharding, [local])
    ran[ranks] += 1
    if ranks in _connected:
        part = compiled(whole).addressable_data(0)
        part.block_until_ready()
    else:
        with _without_gloos_words():
            part = compiled(whole).addressable_data(0)
            part.block_until_ready()
        _connected.add(ranks)
    return part if shared else part[0]


@contextmanager
def _without_gloos_words() -> Iterator[None]:
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
def _executable(name: str, ranks: tuple[int, ...], axes: tuple[tuple[str, int], ...]) -> tuple[Any, Any, bool]:
    """What computes a collective, how its operand lies on the devices, and whether its result is the same for all."""
    compute, shared = COLLECTIVES[name]
    of_rank = {device.process_index: device for device in reversed(jax.devices())}
    mesh = Mesh(np.array([of_rank[r] for r in ranks]), (_RANKS,))
    divided = NamedSharding(mesh, PartitionSpec(_RANKS))
    result = NamedSharding(mesh, PartitionSpec()) if shared else divided
    return jax.jit(lambda xs: compute(xs, **dict(axes)), out_shardings=result), divided, shared
