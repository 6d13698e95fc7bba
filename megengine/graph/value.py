"""What the graph computes with: abstract values, immutable values, and the mutable handles that users hold."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..ops.op import Op
    from .device import Device
    from .recorder import Recorder
    from .tape import GradNode


class Aval:
    """Shape, dtype and label of a value, interned: equal ones are the same object, so hashing is by identity.

    A description that came out of an operator: use :func:`aval` to make one.
    """

    __slots__ = ("shape", "dtype", "size", "ndim", "is_float", "format", "is_plain")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, format: str = "default") -> None:
        self.shape = shape
        self.dtype = dtype
        self.size = prod(shape)
        self.ndim = len(shape)
        self.is_float = dtype.kind in "fcV"
        self.format = format
        self.is_plain = dtype.metadata is None and format == "default"

    def __repr__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"

    def __reduce__(self) -> Any:
        return aval, (self.shape, self.dtype, self.format)


_interned: dict[Any, Aval] = {}


def aval(shape: tuple[int, ...], dtype: np.dtype, format: str = "default") -> Aval:
    """The interned abstract value of this shape, dtype and label (see :mod:`megengine.ops.formats`)."""
    key: tuple[Any, ...] = (shape, dtype)
    if dtype.metadata is not None or format != "default":
        # NumPy calls quantised dtypes equal that differ in metadata.
        key = (shape, dtype, str(dtype.metadata), format)
    found = _interned.get(key)
    if found is not None:
        return found
    # The dtype of an array from a file may show its byte order, and would then do so wherever it is interned.
    own = np.dtype(dtype.type) if dtype.metadata is None else dtype
    return _interned.setdefault(key, Aval(shape, own, format))


class Value:
    """One immutable value: pending in ``recorder`` until a flush gives it its ``array``.

    ``uses`` counts, once it is set, how many programs read it from the host, and ``fits`` are the rules on values that it was
    found to keep.
    """

    __slots__ = ("recorder", "aval", "array", "device", "uses", "fits", "__weakref__")

    uses: int
    fits: set[Any]

    def __init__(self, recorder: Recorder | None, aval: Aval, array: Any, device: Device) -> None:
        self.recorder = recorder
        self.aval = aval
        self.array = array
        self.device = device


class Symbol(Value):
    """A value without numbers, of a graph that is being put together: ops on it are not recorded but given to that graph.

    Attributes:
        applies: called with an op, its operands and its attributes by name; returns handles on the results.
        node: the node of the graph that it is the value of.
    """

    __slots__ = ("applies", "node")

    node: Any

    applies: Callable[[Op, tuple[Any, ...], dict[str, Any]], Any]


class Handle:
    """What a Tensor is to the engine: a rebindable reference to a value, and the gradient node that made it."""

    __slots__ = ("_value", "_node", "_slot", "__weakref__")

    _value: Value
    _node: GradNode | None
    _slot: int


handle_type: type[Handle] = Handle


def register_handle_type(cls: type[Handle]) -> None:
    """Name the class of what operations return; the tensor module calls it once."""
    global handle_type
    handle_type = cls


def new_handle(value: Value) -> Any:
    """A new user-facing handle on a value, without gradient history."""
    handle = object.__new__(handle_type)
    handle._value = value
    handle._node = None
    return handle
