"""The nodes of a graph, ready to be computed; functions are written out."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from ..package import OnnxError, onnx
from . import (
    control,
    drawing,
    elementwise,
    images,
    indexing,
    normalizing,
    products,
    quantizing,
    recurrent,
    reducing,
    sequences,
    shaping,
    windows,
)
from .rules import RULES, Node, as_array
from .types import dtype_of

FAMILIES = (
    control, drawing, elementwise, images, indexing, normalizing, products, quantizing, recurrent, reducing, sequences, shaping,
    windows
)  # fmt: skip
# What is computed of arrays on the host, which no gradient flows through.
HOST_ONLY = ("Unique",)
DRAWS = ("Dropout", "RandomNormalLike", "RandomUniformLike")


SMALL, KEPT = 64, 16  # elements of arrays, and results of a node, that are remembered


class Planned:
    """A node with its attributes read."""

    __slots__ = ("node", "attributes", "opset", "rule", "_reference", "_known")

    def __init__(self, node: Any, opset: int) -> None:
        self.node = node
        self.opset = opset
        self.attributes = {a.name: _attribute(a) for a in node.attribute}
        self.rule = RULES.get(node.op_type)
        self._reference: Callable[..., Any] | None = None
        self._known: OrderedDict[Any, list[Any]] = OrderedDict()

    def __call__(self, inputs: list[Any], training: bool, run: Any, update: Any) -> list[Any]:
        node = self.node
        on_host = all(i is None or isinstance(i, np.ndarray) for i in inputs) and inputs
        subgraphs = any(a.type in (a.GRAPH, a.GRAPHS) for a in node.attribute)
        if (on_host and not subgraphs and node.op_type not in DRAWS) or self.rule is None:
            return self._by_numpy([None if i is None else as_array(i) for i in inputs])
        call = Node(node.op_type, self.attributes, inputs, len(node.output), self.opset, training, run, update)
        try:
            made = self.rule(call)
        except OnnxError as error:
            error.add_note(f"in the node {node.name or node.output[0]!r}")
            raise
        return list(made) if isinstance(made, (list, tuple)) else [made]

    def _by_numpy(self, inputs: list[Any]) -> list[Any]:
        """What depends on arrays alone stays on the host; ``onnx``'s own NumPy code computes it."""
        key = tuple(
            None if i is None else (i.shape, i.dtype.str, i.tobytes()) for i in inputs if i is None or i.size <= SMALL
        )
        if len(key) < len(inputs):
            return self._computed(inputs)
        found = self._known.get(key)
        if found is None:  # sizes are mostly what they were in the last call
            found = self._known[key] = self._computed(inputs)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found

    def _computed(self, inputs: list[Any]) -> list[Any]:
        if self._reference is None:
            self._reference = _by_numpy(self.node, self.opset)
        names = zip(self.node.input, inputs, strict=True)
        return [np.asarray(v) for v in self._reference(None, {n: i for n, i in names if n})]


def inlined(model: Any) -> Any:
    """The model with functions written out, its own, and ONNX's where there is no rule.

    Raises:
        OnnxError: there is no rule for some operators.
    """
    inliner = import_module("onnx.inliner")
    if model.functions:
        model = inliner.inline_local_functions(model)
    missing = _unknown(model.graph)
    if missing:
        copy = type(model)()
        copy.CopyFrom(model)
        _with_defaults(copy.graph, opset_of(model), missing)
        try:
            model = inliner.inline_selected_functions(copy, sorted(missing), inline_schema_functions=True)
        except RuntimeError as error:
            raise OnnxError(
                f"there are no rules for the operators {_listed(missing)}, nor can they be written out: {error}"
            ) from error
        missing = _unknown(model.graph)
    if missing:
        raise OnnxError(f"there are no rules for the operators {_listed(missing)}")
    return model


def _listed(operators: Any) -> str:
    return ", ".join(f"{domain}.{kind}" if domain else kind for domain, kind in sorted(operators))


def opset_of(model: Any) -> int:
    """The version of ONNX's own operators that a model uses."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)


def _with_defaults(graph: Any, opset: int, missing: Any) -> None:
    """Write down the attributes that nodes leave out: functions that are written out need them."""
    package = onnx()
    for node in nodes_of(graph):
        if (node.domain, node.op_type) in missing:
            given = {a.name for a in node.attribute}
            try:
                schema = package.defs.get_schema(node.op_type, opset, node.domain)
            except package.defs.SchemaError:
                continue
            for name, attribute in schema.attributes.items():
                if name not in given and attribute.default_value.name:
                    node.attribute.append(attribute.default_value)


def _by_numpy(node: Any, opset: int) -> Callable[..., Any]:
    """A node as a function of arrays, by the code that comes with ``onnx``."""
    helper = onnx().helper
    values = [
        [helper.make_tensor_value_info(n, 0, None) for n in dict.fromkeys(names) if n]
        for names in (node.input, node.output)
    ]
    model = helper.make_model(
        helper.make_graph([node], "node", *values), opset_imports=[helper.make_opsetid("", opset)]
    )
    return import_module("onnx.reference").ReferenceEvaluator(model).run  # type: ignore[no-any-return]


def _unknown(graph: Any) -> Counter[tuple[str, str]]:
    return Counter(
        (node.domain, node.op_type)
        for node in nodes_of(graph)
        if node.domain not in ("", "ai.onnx") or node.op_type not in (*RULES, *HOST_ONLY)
    )


def nodes_of(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for a in node.attribute:
            if a.type == a.GRAPH:
                yield from nodes_of(a.g)


def array_of(tensor: Any) -> np.ndarray:
    dtype_of(tensor.data_type)
    return onnx().numpy_helper.to_array(tensor)


def _attribute(attribute: Any) -> Any:
    value = onnx().helper.get_attribute_value(attribute)
    if attribute.type == attribute.TENSOR:
        return array_of(value)
    if isinstance(value, bytes):
        return value.decode()
    if attribute.type == attribute.STRINGS:
        return [v.decode() for v in value]
    return list(value) if attribute.type in (attribute.INTS, attribute.FLOATS) else value
