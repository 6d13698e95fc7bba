"""A module that computes an ONNX graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from ..graph.dtypes import SUPPORTED
from ..module import Module
from ..tensor import Parameter, Tensor
from .package import OnnxError, onnx
from .reading import (
    control,
    elementwise,
    images,
    indexing,
    normalizing,
    products,
    quantizing,
    recurrent,
    reducing,
    shaping,
    windows,
)
from .reading.rules import ON_HOST, RULES, Node, as_array, as_tensor
from .reading.types import dtype_of

FAMILIES = (
    control, elementwise, images, indexing, normalizing, products, quantizing, recurrent, reducing, shaping, windows
)  # fmt: skip
# What is computed of arrays on the host, which no gradient flows through.
HOST_ONLY = ("Unique", "NonZero", "NonMaxSuppression", "RandomUniform", "RandomNormal")


class _Group(Module):
    """What names with dots are divided into."""

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError("a part of an ONNX model holds weights; the model is what is called")


class OnnxModule(Module):
    """Computes an ONNX graph; see :func:`megengine.onnx.load`.

    Attributes:
        input_names, output_names: in the graph's order.
    """

    def __init__(self, model: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        model = _inlined(model)
        self._model = model
        self._opset = opset_of(model)
        graph = model.graph
        held = {t.name: _array(t) for t in graph.initializer}
        self.input_names = [v.name for v in graph.input if v.name not in held]
        self.output_names = [v.name for v in graph.output]
        self._dtypes = {v.name: v.type.tensor_type.elem_type for v in graph.input}
        self._graph = graph
        self._places: dict[str, tuple[str, ...]] = {}
        self._constants: dict[str, Any] = {}
        self._plans: dict[int, list[_Planned]] = {}
        trained, moved = _roles(graph, held)
        for key, array in held.items():
            if key in trained or key in moved:
                self._keep(key, Parameter(array) if key in trained else Tensor(array))
            else:
                self._constants[key] = array
        self.eval()

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The results for tensors or arrays, in the order of the graph's inputs or by their names."""
        given = {**dict(zip(self.input_names, inputs, strict=False)), **named}
        if len(inputs) > len(self.input_names) or given.keys() != set(self.input_names):
            raise TypeError(f"the model takes inputs {self.input_names}, not {list(given) or len(inputs)}")
        env = dict(self._constants)
        env.update({key: self._kept(key) for key in self._places})
        env.update({key: self._given(key, value) for key, value in given.items()})
        results = [r if isinstance(r, list) else as_tensor(r) for r in self._run(self._graph, env)]
        return results[0] if len(results) == 1 else tuple(results)

    def to_model(self) -> Any:
        """The graph as it was read, an ``onnx.ModelProto``, with the weights as they are now."""
        made = type(self._model)()
        made.CopyFrom(self._model)
        for tensor in made.graph.initializer:
            if tensor.name in self._places:
                tensor.CopyFrom(onnx().numpy_helper.from_array(self._kept(tensor.name).numpy(), tensor.name))
        return made

    def _given(self, key: str, value: Any) -> Any:
        if isinstance(value, Tensor) or value is None or isinstance(value, list):
            return value
        array = np.asarray(value)
        return as_tensor(array.astype(dtype_of(self._dtypes[key])) if self._dtypes.get(key) else array)

    def _keep(self, key: str, tensor: Tensor) -> None:
        """A tensor under its name, whose parts between dots are modules."""
        path = tuple(key.split("."))
        if not all(path) or not self._is_free(path):
            path = (key.replace(".", "_"),)
            while hasattr(self, path[0]):
                path = (f"{path[0]}_",)
        module: Module = self
        for part in path[:-1]:
            if part not in module.__dict__:
                setattr(module, part, _Group())
            module = module.__dict__[part]
        setattr(module, path[-1], tensor)
        self._places[key] = path

    def _is_free(self, path: tuple[str, ...]) -> bool:
        """Whether nothing but parts of other names is in the way."""
        module: Any = self
        for part in path[:-1]:
            if part not in module.__dict__:
                return not hasattr(module, part)
            module = module.__dict__[part]
            if not isinstance(module, _Group):
                return False
        return not hasattr(module, path[-1])

    def _kept(self, key: str) -> Tensor:
        """The tensor of a name."""
        found: Any = self
        for part in self._places[key]:
            found = found.__dict__[part]
        return found  # type: ignore[no-any-return]

    def _run(self, graph: Any, env: dict[str, Any]) -> list[Any]:
        """The outputs of a graph; what its nodes give is added to ``env``."""
        plan = self._plans.get(id(graph))
        if plan is None:
            plan = self._plans[id(graph)] = [_Planned(node, self._opset) for node in graph.node]
        for step in plan:
            inputs = [env[i] if i else None for i in step.node.input]
            outputs = step(inputs, self.training, partial(self._body, env), partial(self._moved, step))
            env.update((key, value) for key, value in zip(step.node.output, outputs, strict=False) if key)
        return [env[v.name] for v in graph.output]

    def _body(self, env: dict[str, Any], graph: Any, inputs: list[Any]) -> list[Any]:
        """A graph that is an attribute; it sees the values around it."""
        inner = dict(env)
        inner.update((t.name, _array(t)) for t in graph.initializer)
        inner.update((v.name, value) for v, value in zip(graph.input, inputs, strict=True))
        return self._run(graph, inner)

    def _moved(self, step: _Planned, operand: int, value: Tensor) -> None:
        """A running statistic has another value."""
        key = step.node.input[operand]
        if key in self._places:
            self._kept(key)._reset(value)

    def _module_info_string(self) -> str:
        return f"{len(self._graph.node)} nodes, opset {self._opset}"


class _Planned:
    """A node with its attributes read."""

    __slots__ = ("node", "attributes", "opset", "rule", "_reference")

    def __init__(self, node: Any, opset: int) -> None:
        self.node = node
        self.opset = opset
        self.attributes = {a.name: _attribute(a) for a in node.attribute}
        self.rule = RULES.get(node.op_type)
        self._reference: Callable[..., Any] | None = None

    def __call__(self, inputs: list[Any], training: bool, run: Any, update: Any) -> list[Any]:
        node = self.node
        on_host = all(i is None or isinstance(i, np.ndarray) for i in inputs) and inputs
        subgraphs = any(a.type in (a.GRAPH, a.GRAPHS) for a in node.attribute)
        if (on_host and not subgraphs and node.op_type not in ("Dropout",)) or self.rule is None:
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
        if self._reference is None:
            self._reference = _by_numpy(self.node, self.opset)
        names = zip(self.node.input, inputs, strict=True)
        return [np.asarray(v) for v in self._reference(None, {n: i for n, i in names if n})]


def _inlined(model: Any) -> Any:
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
    for node in _nodes(graph):
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
        for node in _nodes(graph)
        if node.domain not in ("", "ai.onnx") or node.op_type not in (*RULES, *HOST_ONLY)
    )


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for a in node.attribute:
            if a.type == a.GRAPH:
                yield from _nodes(a.g)


def _array(tensor: Any) -> np.ndarray:
    dtype_of(tensor.data_type)
    return onnx().numpy_helper.to_array(tensor)


def _attribute(attribute: Any) -> Any:
    value = onnx().helper.get_attribute_value(attribute)
    if attribute.type == attribute.TENSOR:
        return _array(value)
    if isinstance(value, bytes):
        return value.decode()
    if attribute.type == attribute.STRINGS:
        return [v.decode() for v in value]
    return list(value) if attribute.type in (attribute.INTS, attribute.FLOATS) else value


def _roles(graph: Any, held: dict[str, np.ndarray]) -> tuple[set[str], set[str]]:
    """Which initializers are parameters, and which are running statistics."""
    moved = {n.input[k] for n in _nodes(graph) if n.op_type == "BatchNormalization" for k in (3, 4)} & held.keys()
    settings = {n.input[k] for n in _nodes(graph) for k in ON_HOST.get(n.op_type, ()) if k < len(n.input)}
    trained = {
        key
        for key, a in held.items()
        if a.ndim and np.dtype(a.dtype) in SUPPORTED and a.dtype.kind in "fV" and not key.startswith("constant")
    }
    return trained - moved - settings, moved
