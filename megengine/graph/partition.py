"""Values whose elements are divided among devices: XLA partitions the programs that meet them (GSPMD, Xu et al., 2021)."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import Sharding

from ..ops.partition import partitioned
from . import program, tiers
from .apply import apply, rebind
from .errors import UsageError
from .flushing import flush
from .host_array import plain
from .recorder import thread
from .value import Handle, Value

__all__ = ["begin", "collectives", "follow", "lay_out", "sharding_of"]


def begin() -> None:
    """Compile everything from now on, without libraries that XLA cannot divide; what was compiled before is forgotten.

    Raises:
        UsageError: within a traced function.
    """
    if tiers.partitions():
        return
    if thread.recorder.capture is not None:
        raise UsageError("a mesh cannot be made while a function is traced: make it before")
    flush("option")
    tiers.partition()
    program.clear()


def lay_out(handle: Handle, sharding: Sharding) -> None:
    """Divide the elements of a tensor; its numbers stay.

    Data move at once. A result that is pending is laid out by the program that computes it, and so is its gradient.
    """
    value = handle._value
    if value.array is None or thread.recorder.capture is not None:
        rebind(handle, apply(partitioned, handle, sharding=sharding))
    else:
        array = value.array
        value.array = jax.device_put(array if isinstance(array, jax.Array) else plain(array), sharding)


def follow(handle: Handle, other: Value) -> None:
    """Divide a tensor's data as those of another value are, if they are and both have one shape."""
    if not tiers.partitions() or handle._value.array is None or handle._value.aval.shape != other.aval.shape:
        return
    for sharding in tiers.divided([other.array]):
        lay_out(handle, sharding)


def sharding_of(handle: Handle) -> Any:
    """How a tensor's elements lie on devices, as JAX says it; None for data that have not left the host."""
    return getattr(handle._value.array, "sharding", None)


def collectives(programs: list[program.Program]) -> dict[str, int]:
    """Bytes that each device receives in a run of these programs, by the kind of collective."""
    found: dict[str, int] = {}
    for one in programs:
        for kind, size in one.collectives.items():
            found[kind] = found.get(kind, 0) + size
    return found
