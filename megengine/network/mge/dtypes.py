"""MegEngine's dtypes in its files, and the values of tensors."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import ml_dtypes
import numpy as np

from ...graph.exchange import GraphFileError
from ...ops.quantized import Key, dtype_of_key
from .flat import Table

NAMES = (
    "float32", "uint8", "int8", "int16", "int32", "IntB1", "IntB2", "IntB4", "Byte", "float16", "UintB4", "Quantized8Asymm",
    "QuantizedS32", "QuantizedS8", "Quantized4Asymm", "QuantizedS4", "QuantizedS16", "bfloat16", "bool", "uint16", "QuantizedS1",
    "complex64",
)  # fmt: skip


class FileDtype(NamedTuple):
    """A dtype: MegEngine's name of it, and what a quantised one is."""

    name: str
    scale: float = 0.0
    zero_point: int = 0

    @property
    def dtype(self) -> np.dtype:
        """The same here.

        Raises:
            GraphFileError: there is none.
        """
        if self.name == "bfloat16":
            return np.dtype(ml_dtypes.bfloat16)
        try:
            return (
                dtype_of_key(Key(self.name, self.scale, self.zero_point)) if self.is_quantised else np.dtype(self.name)
            )
        except (TypeError, KeyError, ValueError) as error:
            raise GraphFileError(
                f"the file holds values of the dtype {self.name}, which this package does not have"
            ) from error

    @property
    def is_quantised(self) -> bool:
        """Whether its numbers stand for multiples of a scale."""
        return self.name.startswith("Quantized")

    def read(self, data: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
        """The values of a tensor.

        Raises:
            GraphFileError: there are too few bytes, or there is no such dtype here.
        """
        dtype = self.dtype
        needed = prod(shape) * dtype.itemsize
        if len(data) < needed:
            raise GraphFileError(f"the file is damaged: a tensor of {where} has {len(data)} bytes, and needs {needed}")
        return np.frombuffer(data[:needed].tobytes(), dtype).reshape(shape)


class Kept(NamedTuple):
    """A tensor in a file."""

    name: str
    shape: tuple[int, ...]
    dtype: FileDtype
    array: np.ndarray | None


def dtype_of(table: Table | None) -> FileDtype:
    """What a table of a dtype says; of none, nothing: float32 is the first of the list."""
    if table is None:
        return FileDtype("")
    number = table.number(0, "byte")
    if not 0 <= number < len(NAMES):
        raise GraphFileError(f"the file names dtype {number}, which MegEngine 1.13 does not have")
    quantised = table.table(2)
    if quantised is None:
        return FileDtype(NAMES[number])
    return FileDtype(NAMES[number], float(quantised.number(0, "float")), int(quantised.number(1, "ubyte")))
