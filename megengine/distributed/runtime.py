"""The processes of a program, each with one device, on JAX's distributed runtime: gloo between CPUs, NCCL between GPUs."""

from __future__ import annotations

import os
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

_RANKS = "ranks"
calls: Counter[str] = Counter()  # how many collectives there have been, by group
agreed: set[tuple[str, str]] = set()  # those that all ranks of their group were seen to call
_connected: set[tuple[int, ...]] = set()  # the groups that have communicated


def patience() -> float:
    """Seconds that a process waits for the others before it gives up: ``MEGENGINE_DISTRIBUTED_TIMEOUT``, by default 300."""
    text = os.environ.get("MEGENGINE_DISTRIBUTED_TIMEOUT", "300")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ValueError(f"environment variable MEGENGINE_DISTRIBUTED_TIMEOUT={text!r}: write a number of seconds")
    return seconds


def join(address: str, world_size: int, rank: int, device: int | None) -> None:
    """Connect this process with the others.

    Args:
        address: ``host:port`` of the process of rank 0.
        world_size: how many there are.
        rank: which of them this one is.
        device: the GPU that is this one's; None on CPUs.

    Raises:
        RuntimeError: it has computed already, or the others did not come in time.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    seconds = max(1, round(patience()))
    try:
        jax.distributed.initialize(
            address,
            world_size,
            rank,
            local_device_ids=device,
            initialization_timeout=seconds,
            heartbeat_timeout_seconds=max(10, min(seconds, 100)),
            shutdown_timeout_seconds=seconds,
        )
    except RuntimeError as error:
        if "must be called before" not in str(error):
            raise
        raise RuntimeError("init_process_group has to come before the first computation with tensors") from error


def leave() -> None:
    """Wait for the others to end, and part from them."""
    for known in (calls, agreed, _connected):
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
    if ranks in _connected:
        part = compiled(whole).addressable_data(0)
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
