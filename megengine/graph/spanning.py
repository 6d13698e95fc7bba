"""Programs on devices of several processes: these run the same ones, in the same order, or one would wait in vain.

Before each run they make sure of that. So a process that is interrupted, or is alone, learns of it while its tensors are whole:
what a program overwrites is lost if others leave it amid a run.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from .errors import UsageError

if TYPE_CHECKING:
    from .program import Program

__all__ = ["Carried", "Others", "assemble", "compare", "divide", "is_first", "meet", "span", "spans", "whole"]

_ASSEMBLE = "what each has a part of is put together by assemble"
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Others(Protocol):
    """The processes whose devices programs may use."""

    def compare(self, what: str, told: Any) -> dict[int, Any]:
        """Wait until all have come to this; what each tells, by its number."""

    def carry_out(self, job: Callable[[], Any], first: bool) -> Any:
        """What a job gives that all carry out, after they have come to it; the first time they may have to connect."""


_others: Others | None = None


def span(others: Others) -> None:
    """From now on programs may use devices of other processes."""
    global _others
    _others = others


def spans(sharding: Any) -> bool:
    """Whether arrays that are divided like this have parts in other processes."""
    return sharding is not None and not sharding.is_fully_addressable


def compare(what: str, told: Any) -> dict[int, Any]:
    """Wait until all processes have come to this; what each tells, by its number."""
    return _known().compare(what, told)


def is_first() -> bool:
    """Whether this process is the one that does what one of them has to do."""
    return bool(jax.process_index() == 0)


def _known() -> Others:
    if _others is None:
        raise UsageError("tensors are divided among processes by megengine.distributed.mesh only")
    return _others


class Carried:
    """A compiled function on devices of several processes.

    Args:
        jitted: from ``jax.jit``.
    """

    def __init__(self, jitted: Any) -> None:
        self._jitted = jitted
        self._ran = False

    def __call__(self, *args: Any) -> Any:
        first, self._ran = not self._ran, True
        if first:
            self._jitted.lower(*args).compile()  # in this thread, whose settings count
        return _known().carry_out(lambda: jax.block_until_ready(self._jitted(*args)), first)

    def lower(self, *args: Any) -> Any:
        """As of what ``jax.jit`` gives."""
        return self._jitted.lower(*args)


def identity(program: Program) -> str:
    """What is the same in all processes for one program."""
    text = _ADDRESS.sub("", f"{program.function}\n{program.key.divided}")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def meet(program: Program, arguments: list[Any]) -> None:
    """Wait until all processes are about to run a program; before its first run they compare what each has for itself.

    Arrays that are bound to a device of this process become the host's, which every device may be given.

    Raises:
        UsageError: the processes run different programs, or have different numbers.
    """
    told = _known().compare("a program on all devices", program.identity)
    if len({*told.values()}) > 1:
        raise UsageError(_difference(program, told))
    for k, array in enumerate(arguments):
        if isinstance(array, jax.Array) and array.is_fully_addressable:
            arguments[k] = np.asarray(array)
    if program.proven:
        return
    own = [(k, checksum(a)) for k, a in enumerate(arguments) if isinstance(a, np.ndarray)]
    sums = _known().compare("the first run of a program on all devices", [check for _, check in own])
    for rank, theirs in sums.items():
        for (k, check), other in zip(own, theirs, strict=True):
            if check != other:
                raise UsageError(_unlike(program, k, arguments[k], rank))


def checksum(array: np.ndarray) -> str:
    """What two arrays of one shape share if they are the same."""
    return f"{zlib.crc32(np.ascontiguousarray(array).tobytes()):08x}"


def _unlike(program: Program, argument: int, array: np.ndarray, rank: int) -> str:
    number = argument - program.offset
    named = program.recording.function(program.node).inputs[number].name if number >= 0 else "a Python number"
    what = f"{named or f'input {number}'}, {array.dtype}{list(array.shape)}"
    return (
        f"{what}, has other numbers in rank {rank}: what is not divided has to be the same in all processes "
        f"(megengine.random.seed, bcast_list_), and {_ASSEMBLE}"
    )


def _difference(program: Program, told: dict[int, str]) -> str:
    """Which equation of the processes' programs is the first that differs."""
    own = str(program.recording.function(program.node, program.key.outputs)).splitlines()
    texts = _known().compare("programs that differ", own)
    for rank, theirs in texts.items():
        if told[rank] == program.identity:
            continue
        longest = max(len(own), len(theirs))
        pairs = zip(*(lines + ["nothing"] * (longest - len(lines)) for lines in (own, theirs)), strict=True)
        for here, there in pairs:
            if here.partition("    # ")[0] != there.partition("    # ")[0]:
                return f"the processes run different programs: {here.strip()} here, {there.strip()} in rank {rank}"
    return f"the processes run different programs: their inputs are divided in other ways ({program.key.divided} here)"


def whole(array: Any) -> Any:
    """An array for the host to read: all processes gather one that is divided among them."""
    if not isinstance(array, jax.Array) or array.is_fully_addressable or array.is_fully_replicated:
        return array
    sharding: Any = array.sharding
    return _laid_out(array, NamedSharding(sharding.mesh, PartitionSpec()), "reading")


def divide(array: Any, sharding: Any) -> Any:
    """An array that is divided among processes, each of which has all of it or some of its parts.

    Raises:
        UsageError: it is not the same in all processes.
    """
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return _laid_out(array, sharding, "shard")
    host = np.asarray(array)
    what, check = f"shard of {host.dtype}{list(host.shape)}", checksum(host)
    for rank, theirs in _known().compare(what, check).items():
        if theirs != check:
            raise UsageError(
                f"{what}: it has other numbers in rank {rank}; every process gives all of it, and {_ASSEMBLE}"
            )
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def assemble(part: np.ndarray, sharding: Any, shape: tuple[int, ...]) -> jax.Array:
    """The array of this shape of which each process has a part.

    Raises:
        UsageError: the parts have different shapes or dtypes.
    """
    what = f"{part.dtype}{list(part.shape)}"
    if _others is not None:
        told = _others.compare("assemble", what)
        for rank, theirs in told.items():
            if theirs != what:
                raise UsageError(f"assemble: this process has a part {what}, rank {rank} one {theirs}")
    return jax.make_array_from_process_local_data(sharding, part, shape)


def _laid_out(array: jax.Array, sharding: Any, what: str) -> jax.Array:
    """The array, moved among the devices of all processes."""
    others = _known()
    others.compare(f"{what} of {array.dtype}{list(array.shape)}", None)
    move = jax.jit(lambda x: x, out_shardings=sharding)
    made: jax.Array = others.carry_out(lambda: jax.block_until_ready(move(array)), True)
    return made
