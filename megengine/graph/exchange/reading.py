"""From the bytes of a file to a :class:`~.model.Model`; nothing in a file is code."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from typing import Any

from ..infer import infer
from ..ir import AnyEquation, Equation, Function, Scalar, Var, VjpEquation
from ..value import Aval, aval
from .attributes import decoded, dtype_of
from .model import FORMAT, VERSION, GraphFileError, Model
from .table import named
from .weights import unpack

_LOCAL = struct.Struct("<4s5H3L2H")
_MAGIC = b"PK\x03\x04"
_FIRST = b"format.json"


def length_of(head: bytes) -> int:
    """How many bytes a file has that begins so.

    Raises:
        GraphFileError: it is no graph, or one of a newer version.
    """
    try:
        magic, *_, size, _, name, extra = _LOCAL.unpack_from(head)
        start = _LOCAL.size + name + extra
        if magic != _MAGIC or head[_LOCAL.size :][:name] != _FIRST:
            raise ValueError("it begins with other bytes")
        front = json.loads(head[start : start + size])
        if front["format"] != FORMAT:
            raise ValueError(f"its format is {front['format']!r}")
        version, length = front["version"], int(front["bytes"])
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise GraphFileError(
            f"this is no graph that trace.dump or Network.dump wrote, or it is damaged: {error}"
        ) from error
    if version > VERSION:
        raise GraphFileError(
            f"this graph is of version {version} of the format, and this is {VERSION}: a newer megengine-xla wrote it"
        )
    return length


HEAD = 1024


def decode(data: bytes) -> Model:
    """Read a file; bytes that come after it are no part of it.

    Raises:
        GraphFileError: it is no graph, is damaged, or was written by a newer version.
    """
    length = length_of(data[:HEAD])
    if len(data) < length:
        raise GraphFileError(f"the graph is truncated: of {length} bytes {len(data)} are there")
    try:
        with zipfile.ZipFile(io.BytesIO(data[:length])) as archive:
            odd = [i.filename for i in archive.infolist() if i.compress_type != zipfile.ZIP_STORED or i.flag_bits & 1]
            if odd:  # a small file could hold more than the memory does
                raise GraphFileError(f"the graph is damaged, or was packed again: {odd[0]} is compressed or encrypted")
            entries = {name: archive.read(name) for name in archive.namelist()}
            lines = [json.loads(line) for line in entries["graph.jsonl"].decode().splitlines()]
            metadata = json.loads(entries["metadata.json"])
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, NotImplementedError) as error:
        raise GraphFileError(f"the graph is damaged: {error}") from error
    tests = [unpack(entries[name]) for name in sorted(entries) if name.startswith("tests/")]
    reader = _Reader(unpack(entries["weights.safetensors"]) if "weights.safetensors" in entries else {})
    try:
        for line in lines:
            reader.read(line)
    except (KeyError, IndexError, TypeError, ValueError, StopIteration) as error:
        raise GraphFileError(f"the graph is damaged: {type(error).__name__}: {error}") from error
    return Model(reader.function(), reader.floats, reader.ints, reader.names, metadata, tests)


class _Reader:
    """Reads the lines of a graph one by one."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self.weights = weights
        self.vars: dict[int, Var] = {}
        self.inputs: list[Var] = []
        self.constants: dict[Var, Any] = {}
        self.equations: list[AnyEquation] = []
        self.outputs: list[Var] = []
        self.floats: list[float] = []
        self.ints: list[int] = []
        self.names: dict[AnyEquation, str] = {}

    def function(self) -> Function:
        """What has been read."""
        return Function(
            self.inputs, self.equations, self.outputs, len(self.floats), len(self.ints), constants=self.constants
        )

    def read(self, line: dict[str, Any]) -> None:
        """Read one line."""
        if "input" in line:
            self.inputs.append(self._var(line["input"], line))
        elif "constant" in line:
            var = self._var(line["constant"], line)
            array = self.weights[line["weight"]]
            if (array.shape, array.dtype) != (var.aval.shape, var.aval.dtype):
                raise ValueError(f"weight {line['weight']!r} is {array.dtype}{list(array.shape)}, not {var.aval}")
            self.constants[var] = array
        elif "op" in line:
            self._add(self._equation(line), line)
        elif "gradient of" in line:
            self._add(self._gradient(line), line)
        elif "outputs" in line:
            self.outputs = [self.vars[k] for k in line["outputs"]]
        else:
            raise GraphFileError(f"the graph has a line of a kind that this version does not have: {list(line)[:1]}")

    def _add(self, equation: AnyEquation, line: dict[str, Any]) -> None:
        self.equations.append(equation)
        if "name" in line:
            self.names[equation] = line["name"]

    def _var(self, number: int, line: dict[str, Any]) -> Var:
        shape = tuple(map(int, line["shape"]))
        var = Var(aval(shape, dtype_of(line["dtype"]), line.get("format", "default")), line.get("name", ""))
        self.vars[number] = var
        return var

    def _operand(self, operand: Any) -> tuple[Var | Scalar, Aval | str]:
        if isinstance(operand, int):
            var = self.vars[operand]
            return var, var.aval
        ((kind, number),) = operand.items()
        if kind == "float":
            self.floats.append(float(decoded(number)))
            return Scalar("f", len(self.floats) - 1), "f"
        self.ints.append(int(number))
        return Scalar(kind[0], len(self.ints) - 1), kind[0]

    def _equation(self, line: dict[str, Any]) -> Equation:
        casts = line.get("casts")
        op = named(line["op"], None if casts is None else tuple(None if c is None else dtype_of(c) for c in casts))
        try:
            attrs = op.in_order({key: decoded(value) for key, value in line["attributes"].items()})
        except TypeError as error:
            raise GraphFileError(f"the graph was written by another version: {error}") from error
        operands = [self._operand(o) for o in line["inputs"]]
        outputs = tuple(self._var(o["id"], o) for o in line["outputs"])
        signature = infer(op, attrs, tuple(spec for _, spec in operands))
        if signature.avals != tuple(v.aval for v in outputs):
            raise ValueError(f"{op.name} gives {signature.avals}, not {[v.aval for v in outputs]}")
        return Equation(signature, tuple(o for o, _ in operands), outputs, *_where(line, len(self.equations)))

    def _gradient(self, line: dict[str, Any]) -> VjpEquation:
        of = self.equations[line["gradient of"]]
        if not isinstance(of, Equation):
            raise ValueError("a gradient of a gradient")
        cotangents = tuple(None if c is None else self.vars[c] for c in line["cotangents"])
        outputs = tuple(self._var(o["id"], o) for o in line["outputs"])
        linearised, wrt = tuple(line["linearised"]), tuple(line["wrt"])
        return VjpEquation(of, linearised, wrt, cotangents, outputs, *_where(line, len(self.equations)))


def _where(line: dict[str, Any], number: int) -> tuple[int, str, tuple[str, ...]]:
    return number, line.get("source", ""), tuple(line.get("scope", ()))
