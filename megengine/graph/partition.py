"""Values whose elements are divided among devices: XLA partitions the programs that meet them (GSPMD, Xu et al., 2021)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Sharding

from ..ops.partition import partitioned
from . import program, tiers
from .apply import apply, rebind
from .errors import UsageError
from .flushing import evaluate, flush
from .host_array import plain
from .recorder import thread
from .spanning import assemble, divide, is_first, spans
from .value import Handle, Value, aval, new_handle

__all__ = [
    "assembled",
    "begin",
    "follow",
    "is_divided",
    "is_shared",
    "laid_out_as",
    "lay_out",
    "pieces_of",
    "sharding_of",
]


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
        if spans(sharding):
            value.array = divide(plain(array) if isinstance(array, np.ndarray) else array, sharding)
            return
        value.array = jax.device_put(array if isinstance(array, jax.Array) else plain(array), sharding)


def assembled(part: Handle, sharding: Sharding, shape: tuple[int, ...]) -> Handle:
    """The tensor of this shape of which each process has a part, which has been computed."""
    value = part._value
    array = assemble(plain(value.array), sharding, shape)
    made: Handle = new_handle(Value(None, aval(shape, value.aval.dtype), array, value.device))
    return made


def follow(handle: Handle, other: Value) -> None:
    """Divide a tensor's data as those of another value are, if they are and both have one shape."""
    if not tiers.partitions() or handle._value.array is None or handle._value.aval.shape != other.aval.shape:
        return
    for sharding in tiers.divided([other.array]):
        lay_out(handle, sharding)


def is_divided(handle: Handle) -> bool:
    """Whether a tensor's data are divided among devices."""
    return bool(tiers.divided([handle._value.array]))


def is_shared(handle: Handle) -> bool:
    """Whether a tensor's data are divided among processes."""
    return spans(sharding_of(handle))


def sharding_of(handle: Handle) -> Any:
    """How a tensor's elements lie on devices, as JAX says it; None for data that have not left the host."""
    return getattr(handle._value.array, "sharding", None)


class Piece(NamedTuple):
    """Some elements of a tensor.

    Attributes:
        device: the number of the one that has them.
        start, shape: where they begin, and how many they are, in each dimension.
        elements: themselves; None if that device is another process's.
    """

    device: int
    start: tuple[int, ...]
    shape: tuple[int, ...]
    elements: np.ndarray | None


def pieces_of(handle: Handle, together: bool = False) -> Iterator[Piece]:
    """Each element of a tensor once, in the parts that devices hold.

    Args:
        handle: the tensor.
        together: whether all processes do this with the same tensors; the first one has those that are not divided among them.
    """
    if handle._value.array is None:
        evaluate(handle._value)
    array, shape = handle._value.array, handle._value.aval.shape
    if not isinstance(array, jax.Array) or (together and array.is_fully_addressable):
        elements = plain(array) if not together or is_first() else None
        yield Piece(0, (0,) * len(shape), shape, elements)
        return
    own = {piece.device: piece for piece in array.addressable_shards}
    seen = set()
    where: Any = array.sharding.devices_indices_map(shape)
    for device, index in where.items():
        bounds = [s.indices(n)[:2] for s, n in zip(index, shape, strict=True)]
        start = tuple([a for a, _ in bounds])
        if start not in seen:
            seen.add(start)
            elements = np.asarray(own[device].data) if device in own else None
            yield Piece(device.id, start, tuple([b - a for a, b in bounds]), elements)


def laid_out_as(handle: Handle, dtype: np.dtype, read: Callable[[Any], np.ndarray]) -> Handle | None:
    """A new tensor, divided as another one is, of parts that are read one by one; None where that one is not divided."""
    for sharding in tiers.divided([handle._value.array]):
        array = jax.make_array_from_callback(handle._value.aval.shape, sharding, read)
        made: Handle = new_handle(Value(None, aval(array.shape, dtype), array, handle._value.device))
        return made
    return None
