"""Inputs and constants."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from ....graph.exchange import GraphFileError
from ..building import SMALL, Builder, rule
from ..container import Operator
from ..dtypes import Kept


@rule("Host2DeviceCopy")
def an_input(builder: Builder, op: Operator) -> Any:
    """What a caller gives."""
    (held,) = op.tensors
    return builder.input(held.name, held.shape, held.dtype)


@rule("ImmutableTensor", "SharedDeviceTensor", "VolatileSharedDeviceTensor")
def a_constant(builder: Builder, op: Operator) -> Any:
    """One value; what may be sizes is kept as numbers."""
    (held,) = op.tensors
    return _constant(builder, op, held, (op.names or [""])[0])


@rule("MultipleDeviceTensorHolder")
def constants(builder: Builder, op: Operator) -> Any:
    """Several values, of which there may be less than outputs say."""
    (count,) = struct.unpack("<I", op.blobs[0])
    if count != len(op.tensors):
        raise GraphFileError(f"{op} holds {len(op.tensors)} tensors, and says {count}")
    names = op.names or [""] * count
    return tuple(_constant(builder, op, held, name) for held, name in zip(op.tensors, names, strict=True))


def _constant(builder: Builder, op: Operator, held: Kept, name: str) -> Any:
    if held.array is None:
        raise GraphFileError(f"{op} has no value")
    array = held.array
    sizes = array.dtype == np.int32 and array.ndim <= 1 and array.size <= SMALL
    number = array.shape == (1,) and array.dtype == np.float32 and not _is_parameter(held.name or name)
    if sizes or number:
        return array
    return builder.constant(array, held.name or name)


def _is_parameter(name: str) -> bool:
    """Whether a constant has a name of its own: MegEngine makes one up of the value of others."""
    return bool(name) and not name.startswith("const")
