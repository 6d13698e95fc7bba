"""Tables of a FlatBuffers file, read by the number of a field; the `flatbuffers` package does the decoding."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from flatbuffers import number_types as kinds
from flatbuffers.table import Table as Raw

from ...graph.exchange import GraphFileError

# What the decoder raises at offsets that lead out of the file.
MALFORMED = (struct.error, ValueError, TypeError, IndexError, OverflowError, AssertionError, MemoryError)

KINDS: dict[str, Any] = {
    "bool": kinds.BoolFlags, "byte": kinds.Int8Flags, "ubyte": kinds.Uint8Flags, "int": kinds.Int32Flags,
    "uint": kinds.Uint32Flags, "long": kinds.Int64Flags, "ulong": kinds.Uint64Flags, "float": kinds.Float32Flags,
    "double": kinds.Float64Flags,
}  # fmt: skip


class Table:
    """A table; fields are numbered from 0 in the order of the schema, a union takes two: its kind and what it holds."""

    def __init__(self, data: Any, position: int) -> None:
        if not 0 <= position < len(data):
            raise GraphFileError("an offset leads out of the file")
        self.raw = Raw(data, position)

    @classmethod
    def root(cls, data: Any) -> Table:
        """The root table of a buffer."""
        return cls(data, struct.unpack_from("<I", data)[0])

    def _at(self, field: int) -> int:
        """Where a field is, 0 where it is absent."""
        offset = self.raw.Offset(4 + 2 * field)
        return offset + self.raw.Pos if offset else 0

    def number(self, field: int, kind: str, default: Any = 0) -> Any:
        """A number or bool, in the kind's type of the schema."""
        at = self._at(field)
        return self.raw.Get(KINDS[kind], at) if at else default

    def text(self, field: int) -> str:
        """A string, empty where it is absent."""
        at = self._at(field)
        return self.raw.String(at).decode() if at else ""

    def raw_bytes(self, field: int) -> bytes:
        """A string that is none in UTF-8."""
        at = self._at(field)
        return self.raw.String(at) if at else b""

    def table(self, field: int) -> Table | None:
        """A table, or what a union holds."""
        at = self._at(field)
        return Table(self.raw.Bytes, self.raw.Indirect(at)) if at else None

    def tables(self, field: int) -> list[Table | None]:
        """A vector of tables; entries of a vector of unions may be absent."""
        return [Table(self.raw.Bytes, at + offset) if offset else None for at, offset in self._offsets(field)]

    def texts(self, field: int) -> list[str]:
        """A vector of strings."""
        return [self.raw.String(at).decode() for at, _ in self._offsets(field)]

    def _offsets(self, field: int) -> Iterator[tuple[int, int]]:
        numbers = self.numbers(field, "uint")
        if len(numbers):
            first = self.raw.Vector(self._at(field) - self.raw.Pos)
            yield from ((first + 4 * k, int(offset)) for k, offset in enumerate(numbers))

    def numbers(self, field: int, kind: str) -> np.ndarray:
        """A vector of numbers, without a copy."""
        at = self._at(field)
        if not at:
            return np.empty(0, kinds.to_numpy_type(KINDS[kind]))
        return self.raw.GetVectorAsNumpy(KINDS[kind], at - self.raw.Pos)

    def structs(self, field: int, layout: np.dtype) -> np.ndarray:
        """A vector of structs."""
        at = self._at(field)
        if not at:
            return np.empty(0, layout)
        length, first = self.raw.VectorLen(at - self.raw.Pos), self.raw.Vector(at - self.raw.Pos)
        return np.frombuffer(self.raw.Bytes, layout, length, first)

    def struct(self, field: int, layout: np.dtype) -> Any:
        """A struct, None where it is absent."""
        at = self._at(field)
        return np.frombuffer(self.raw.Bytes, layout, 1, at)[0] if at else None
