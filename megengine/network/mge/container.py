"""The two containers of MegEngine's graphs, ``FBS`` and ``FBS_V2``, as one list of operators.

Both hold FlatBuffers; the first has the values of tensors before them, in the order in which operators read them. The
schemas are MegEngine's ``src/serialization/impl/schema.fbs`` and ``schema_v2.fbs``.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph.exchange import GraphFileError
from .dtypes import Kept, dtype_of
from .flat import MALFORMED, Table
from .schema import PARAMS, Param, decoded
from .typeids import by_number, plain

MAGIC, OLD_MAGIC, IDENTIFIER = b"MGBC", b"MGBS", b"mgv2"
MODEL_VERSION = 2


@dataclass
class Operator:
    """One operator of a file.

    Attributes:
        kind: MegEngine's name of it, without a version.
        name: of the node, where the file keeps it.
        params: what it is bound to, in the order of the file.
        inputs: numbers of variables.
        outputs: numbers of those it gives, empty in the first format.
        names: of the variables that it gives, where the file keeps them.
        dtype: of its results, where the file says it.
        tensors: values that it holds, by name; the array is None for an input.
        blobs: bytes that only it understands.
    """

    kind: str
    name: str
    params: list[Param]
    inputs: list[int]
    outputs: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    dtype: Any = None
    tensors: list[Kept] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)

    def param(self, kind: str) -> Param:
        """Its only parameters of a kind.

        Raises:
            GraphFileError: the file has none.
        """
        found = [p for p in self.params if p.kind == kind]
        if not found:
            raise GraphFileError(f"{self} comes without its parameters, {kind}")
        return found[0]

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" if self.name else self.kind


@dataclass
class Container:
    """A file.

    Attributes:
        operators: in an order in which they can run.
        outputs: numbers of variables, and names given to them.
        metadata: ``user_info`` and the like, None without.
    """

    operators: list[Operator]
    outputs: list[tuple[int, str]]
    metadata: dict[str, Any] | None


def is_mge(head: bytes) -> bool:
    """Whether a file that begins so is one of MegEngine's own."""
    return head[:4] in (MAGIC, OLD_MAGIC) or head[8:12] == IDENTIFIER


def opened(data: bytes) -> Container:
    """The operators of a file.

    Raises:
        GraphFileError: it is truncated, of a newer version, or names what this package does not have.
    """
    return _first(data) if data[:4] in (MAGIC, OLD_MAGIC) else _second(data)


def _sized(data: bytes, start: int, what: str) -> memoryview:
    """A buffer after its length."""
    if start + 4 > len(data):
        raise GraphFileError(
            f"the file is truncated: its {what} should begin at byte {start}, of {len(data)} that are there"
        )
    (length,) = struct.unpack_from("<I", data, start)
    if start + 4 + length > len(data):
        raise GraphFileError(f"the file is truncated: it should have {start + 4 + length} bytes, {len(data)} are there")
    return memoryview(data)[start + 4 : start + 4 + length]


def _second(data: bytes) -> Container:
    root = Table.root(_sized(data, 0, "graph"))
    version = root.number(1, "uint")
    if version > MODEL_VERSION:
        raise GraphFileError(
            f"the file is of version {version} of MegEngine's format, this package reads up to {MODEL_VERSION}"
        )
    named = [t.text(0) if t is not None else "" for t in root.tables(3)]
    operators = []
    for table in _present(root.tables(2)):
        op = Operator(
            _kind(table.text(0), table.number(1, "ulong")),
            table.text(2),
            _params(table, 3, 5),
            table.numbers(7, "uint").tolist(),
        )
        op.outputs = table.numbers(8, "uint").tolist()
        op.names = [named[k] for k in op.outputs] if named else []
        op.dtype = dtype_of(table.table(10))
        op.tensors = [_tensor_of_second(t, op) for t in _present(table.tables(11))]
        op.blobs = [t.numbers(0, "ubyte").tobytes() for t in _present(table.tables(14))]
        operators.append(op)
    originals = [(t.number(0, "uint"), t.number(1, "uint")) for t in _present(root.tables(4))]
    aliases = {t.number(0, "uint"): t.text(1) for t in _present(root.tables(5))}
    outputs = [(compact, aliases.get(original, "")) for compact, original in originals]
    return Container(operators, outputs, _metadata(root.table(7), 3, 2))


def _tensor_of_second(table: Table, op: Operator) -> Kept:
    shape = tuple(table.numbers(1, "uint").tolist())
    if table.number(4, "ubyte") not in (0, 1):
        raise GraphFileError(f"{op} holds a tensor in a layout of a device's images, which this package does not read")
    dtype = dtype_of(table.table(3))
    data = table.numbers(6, "ubyte")
    return Kept(table.text(0), shape, dtype, dtype.read(data, shape, str(op)) if len(data) else None)


def _first(data: bytes) -> Container:
    start = 4 + (8 if data[:4] == MAGIC else 0) + 4
    (offset,) = struct.unpack_from("<Q", data, start)
    values = start + 8
    root = Table.root(_sized(data, values + offset, "graph"))
    position = values
    operators = []
    for table in _present(root.tables(3)):
        op = Operator(
            _kind("", table.number(0, "ulong")),
            table.text(12),
            _params(table, 1, 10),
            table.numbers(3, "uint").tolist(),
        )
        op.names = table.texts(5)
        op.dtype = dtype_of(table.table(6))
        for tensor in _present(table.tables(7)):
            size = tensor.number(4, "uint")
            shape = tuple(tensor.numbers(1, "uint").tolist())
            dtype = dtype_of(tensor.table(3))
            skipped = tensor.number(5, "uint")
            held = np.frombuffer(data, np.uint8, size, position)[skipped:] if size else None
            op.tensors.append(
                Kept(tensor.text(0), shape, dtype, None if held is None else dtype.read(held, shape, str(op)))
            )
            position += size
        op.blobs = [t.numbers(0, "ubyte").tobytes() for t in _present(table.tables(9))]
        operators.append(op)
    if position > values + offset:
        raise GraphFileError("the file is damaged: tensors overlap the graph")
    outputs = [(int(k), "") for k in root.structs(4, np.dtype([("compact", "<u4"), ("original", "<u4")]))["compact"]]
    return Container(operators, outputs, _metadata(root.table(5), 2, 3))


def _present(tables: list[Table | None]) -> Iterator[Table]:
    return (t for t in tables if t is not None)


def _metadata(table: Table | None, info: int, options: int) -> dict[str, Any] | None:
    if table is None or not table.number(0, "bool"):
        return None
    optimised = bool(table.number(options, "ulong"))
    return {
        "user_info": _plain(table.raw_bytes(info)),
        "graph_modified": bool(table.number(1, "bool")),
        "optimized_for_inference": optimised,
    }


def _plain(pickled: bytes) -> Any:
    """``user_info``, which MegEngine pickles: numbers, strings, containers; bytes where it names a class, which may be code."""
    if not pickled:
        return None
    try:
        return _PlainUnpickler(io.BytesIO(pickled)).load()
    except (pickle.UnpicklingError, EOFError, *MALFORMED):
        return pickled


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Nothing that a file names is looked up."""
        raise pickle.UnpicklingError(f"{module}.{name}")


def _kind(name: str, number: int) -> str:
    if name:
        return plain(name)
    found = by_number().get(number)
    if found is None:
        raise GraphFileError(f"the file uses an operator of number {number:#x}, which MegEngine 1.13 does not have")
    return found


def _params(table: Table, kind: int, more: int) -> list[Param]:
    """What an operator is bound to: a union, and a vector of unions."""
    kinds = [table.number(kind, "ubyte"), *table.numbers(more, "ubyte").tolist()]
    tables = [table.table(kind + 1), *table.tables(more + 1)]
    found = []
    for number, held in zip(kinds, tables, strict=False):
        if number:
            if number not in PARAMS or held is None:
                raise GraphFileError(f"the file holds parameters of a kind {number} that MegEngine 1.13 does not have")
            found.append(decoded(number, held))
    return found
