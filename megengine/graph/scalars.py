"""Python numbers beside tensors: floats that several calls take, and ints that the dtype they meet does not hold.

Such an int becomes a float, a number as good, or an error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..ops.op import Op
from ..ops.promote import SCALAR_DTYPE
from .errors import RangeError
from .value import Handle


class Shared(float):
    """A float that is one argument of a graph however many of its operations take it, as they take an optimizer's learning rate.

    Other floats are arguments one by one, since each may change by itself; and for each that it reads a kernel is compiled.
    """

    __slots__ = ()


@lru_cache(256)
def interned(number: float) -> Shared:
    """One object for equal numbers: which of them are equal is then part of a graph's structure."""
    return Shared(number)


KIND: dict[type, str] = {float: "f", int: "i", bool: "b", np.float64: "f", Shared: "f"}
_INT32 = np.iinfo(np.int32)


def kind_of(x: Any) -> str | None:
    """The kind of a Python number; None for what is none."""
    return KIND.get(type(x))


def fitted(op: Op, attrs: tuple[Any, ...], operands: tuple[Any, ...], position: int) -> int | float:
    """What is recorded for the int ``operands[position]``, which 32 bits or narrow integers may not hold.

    Raises:
        RangeError: the operand is to be an integer that does not hold it.
        RuntimeError: the op cannot combine these dtypes.
    """
    value: int = operands[position]
    if -0x80000000 <= value <= 0x7FFFFFFF:
        for x in operands:
            if isinstance(x, Handle) and x._value.aval.is_float:
                return value
    if any(not isinstance(x, Handle) and kind_of(x) is None for x in operands):
        return 0  # recorded again once those are tensors
    dtype = _target(op, attrs, operands, position)
    held = _INT32.min <= value <= _INT32.max
    if dtype.kind not in "iu":
        return value if held else as_float(value)
    limits = np.iinfo(dtype) if op.strict else _INT32
    if limits.min <= value <= limits.max:
        return value
    instead = None
    if op.ints is not None and any(isinstance(x, Handle) for x in operands):
        instead = op.ints(value, dtype, position)
    if instead is None:
        raise RangeError(f"{op.name}: {shown(value)} does not fit {dtype.name}; {advice(dtype)}")
    return instead


def _target(op: Op, attrs: tuple[Any, ...], operands: tuple[Any, ...], position: int) -> np.dtype:
    """The dtype that the op casts a scalar to."""
    kinds = [x._value.aval.dtype if isinstance(x, Handle) else kind_of(x) for x in operands]
    if op.promote is not None:
        found = op.promote(op.name, kinds)[position]
        return SCALAR_DTYPE["i"] if found is None else np.dtype(found)
    # The lowering decides, and gives the result the dtype of the tensor it changes or of a setting.
    own = next((np.dtype(a) for a in attrs if isinstance(a, np.dtype)), None)
    if own is None:
        own = next((k for k in kinds if isinstance(k, np.dtype)), SCALAR_DTYPE["i"])
    return own


def as_float(value: int) -> float:
    """An int as a float.

    Raises:
        RangeError: it is larger than every float.
    """
    try:
        return float(value)
    except OverflowError:
        raise RangeError(f"an int of {value.bit_length()} bits does not fit float32") from None


def shown(value: int) -> str:
    """An int in messages, which may have more digits than Python prints."""
    return str(value) if value.bit_length() < 200 else f"an int of {value.bit_length()} bits"


def advice(dtype: np.dtype) -> str:
    """How to go on where a number does not fit an integer dtype."""
    if dtype.itemsize < 4:
        return f"its range is {np.iinfo(dtype).min} to {np.iinfo(dtype).max}; convert the tensor with .astype('int32')"
    return "integers have at most 32 bits; write it as a float, or make the tensor float32"
