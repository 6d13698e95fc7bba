"""The ONNX graph that is being written: nodes, constants and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.exchange.batch import Reciprocal, Size, Varying
from ..package import OnnxError, onnx

_ENUMS = {
    "float32": "FLOAT", "float16": "FLOAT16", "bfloat16": "BFLOAT16", "float64": "DOUBLE", "int8": "INT8", "int16": "INT16",
    "int32": "INT32", "int64": "INT64", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "bool": "BOOL",
}  # fmt: skip


def enum(dtype: Any) -> int:
    """ONNX's number of a dtype.

    Raises:
        OnnxError: it has none that operators take.
    """
    name = np.dtype(dtype).name
    if name not in _ENUMS:
        raise OnnxError(f"ONNX has no operators on {name}")
    return int(getattr(onnx().TensorProto, _ENUMS[name]))


class Graph:
    """Collects nodes. Values are names; rules make them with :meth:`op`.

    Attributes:
        opset: the version of the operators.
        known: the numbers of values that are constants.
        nodes, initializers: what the graph holds so far.
        reshaped: the names of parameters that are held in another shape, or as integers, and what these are called.
        real: what quantised values stand for, by value and key of the dtype.
        pairs: what ``DequantizeLinear`` reads, of values that it makes of constants.
    """

    def __init__(self, opset: int, batch_of: str | None = None) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.known: dict[str, np.ndarray] = {}
        self.prefix, self.source, self.outer = "", "", ""
        self.reshaped: dict[str, str] = {}
        self.real: dict[tuple[str, Any], str] = {}
        self.pairs: dict[str, list[str]] = {}
        self._taken: set[str] = set()
        self._constants: dict[Any, str] = {}
        self._batch_of = batch_of
        self._batch = ""

    def fresh(self, wanted: str) -> str:
        """A name that no value has, like the one wanted."""
        name, k = wanted, 0
        while name in self._taken:
            k += 1
            name = f"{wanted}.{k}"
        self._taken.add(name)
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output, and return that."""
        return self.ops(kind, *inputs, count=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, count: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node of several outputs."""
        outputs = [self.fresh(f"{self.prefix}{kind}_output_{k}") for k in range(count)]
        name = self.fresh(f"{self.prefix}{kind}")
        kept = {key: value for key, value in attributes.items() if value is not None}
        node = onnx().helper.make_node(kind, list(inputs), outputs, name=name, domain=domain, **kept)
        node.doc_string = self.source
        self.nodes.append(node)
        return outputs

    def const(self, value: Any, dtype: Any = None) -> str:
        """A constant; equal ones are one."""
        array = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        key = array.dtype.str, array.dtype.name, array.shape, array.tobytes()
        name = self._constants.get(key)
        if name is None:
            name = self._constants[key] = self.hold(self.fresh("constant"), array)
        return name

    def hold(self, name: str, array: np.ndarray) -> str:
        """A constant of this name."""
        self.initializers[name] = onnx().helper.make_tensor(name, enum(array.dtype), array.shape, _raw(array), raw=True)
        self.known[name] = array
        return name

    def instead(self, value: str, array: np.ndarray) -> str:
        """A constant that is held in another form, under its name where that is not needed otherwise."""
        if value in self.reshaped:
            same = self.known[self.reshaped[value]]
            if same.dtype == array.dtype and np.array_equal(same, array):
                return self.reshaped[value]
            return self.const(array)
        name = self.reshaped[value] = self.hold(self.fresh(f"{value}.reshaped"), array)
        return name

    def renamed(self, old: str, new: str) -> None:
        """Nodes have another name for a value."""
        names = {old: new}
        self.real = {(names.get(of, of), key): names.get(v, v) for (of, key), v in self.real.items()}
        self.pairs = {names.get(v, v): reads for v, reads in self.pairs.items()}

    def without_dead(self, outputs: Sequence[str]) -> None:
        """Drop nodes that nothing reads."""
        read, kept = set(outputs), []
        for node in reversed(self.nodes):
            if not read.isdisjoint(node.output):
                kept.append(node)
                read.update(node.input)
        self.nodes = kept[::-1]

    def ints(self, *numbers: int) -> str:
        """A vector of int64."""
        return self.const(np.array(numbers, np.int64))

    def like(self, value: float, dtype: Any) -> str:
        """A number of a dtype."""
        return self.const(np.array(value, dtype))

    def batch(self) -> str:
        """The batch size, a vector of one int64."""
        if not self._batch:
            assert self._batch_of is not None
            before, self.prefix = self.prefix, "batch/"
            shape = self.op("Shape", self._batch_of)
            self._batch = self.op("Slice", shape, self.ints(0), self.ints(1))
            self.prefix = before
        return self._batch

    def size(self, size: Size) -> str:
        """One size, a vector of one int64."""
        if not isinstance(size, Varying):
            return self.ints(size)
        value = self.batch()
        if size.factor != 1:
            value = self.op("Mul", value, self.ints(size.factor))
        if size.offset:
            value = self.op("Add", value, self.ints(size.offset))
        return value if size.divisor == 1 else self.op("Div", value, self.ints(size.divisor))

    def sizes(self, sizes: Sequence[Size]) -> str:
        """A shape, a vector of int64."""
        if not any(isinstance(s, Varying) for s in sizes):
            return self.ints(*map(int, sizes))
        return self.op("Concat", *(self.size(s) for s in sizes), axis=0) if len(sizes) > 1 else self.size(sizes[0])

    def number(self, value: Any, dtype: Any) -> str:
        """A number of a dtype, which may depend on the batch."""
        if isinstance(value, Varying):
            return self.cast(self.op("Squeeze", self.size(value), self.ints(0)), dtype)
        if isinstance(value, Reciprocal):
            batch = self.cast(self.op("Squeeze", self.batch(), self.ints(0)), dtype)
            return self.op("Div", self.like(value.scale, dtype), batch)
        return self.like(value, dtype)

    def cast(self, value: str, dtype: Any) -> str:
        """A value in another dtype."""
        if value in self.known and self.known[value].size == 1:
            return self.const(self.known[value].astype(dtype))
        return self.op("Cast", value, to=enum(dtype))

    def reshape(self, value: str, sizes: Sequence[Size]) -> str:
        """A value in another shape; of one size that depends on the batch ONNX finds out itself."""
        varying = [k for k, s in enumerate(sizes) if isinstance(s, Varying)]
        if len(varying) == 1 and 0 not in sizes:
            target = self.ints(*(-1 if k in varying else int(s) for k, s in enumerate(sizes)))
        else:
            target = self.sizes(sizes)
        return self.op("Reshape", value, target, allowzero=1 if 0 in sizes and self.opset >= 14 else None)

    def unsqueeze(self, value: str, *axes: int) -> str:
        """A value with new axes of size 1."""
        return self.op("Unsqueeze", value, self.ints(*axes))

    def squeeze(self, value: str, *axes: int) -> str:
        """A value without axes of size 1."""
        return self.op("Squeeze", value, self.ints(*axes))

    def slice(self, value: str, starts: Any, ends: Any, axes: Any, steps: Any = None) -> str:
        """A part of a value; starts and ends are ints or vectors."""
        given = [v if isinstance(v, str) else self.ints(*v) for v in (starts, ends, axes)]
        return self.op("Slice", value, *given, *([] if steps is None else [self.ints(*steps)]))

    def reduce(self, kind: str, value: str, axes: Sequence[int] | None, keepdims: bool) -> str:
        """A reduction; no axes are all."""
        keep = int(keepdims)
        if axes is not None and not axes:
            return self.op("Identity", value)
        if axes is None:
            return self.op(kind, value, keepdims=keep)
        if self.opset >= 18 or kind == "ReduceSum":
            return self.op(kind, value, self.ints(*axes), keepdims=keep)
        return self.op(kind, value, axes=list(axes), keepdims=keep)


def _raw(array: np.ndarray) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
