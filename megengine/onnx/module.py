"""A module that computes an ONNX graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..graph.dtypes import SUPPORTED
from ..module import Module
from ..tensor import Parameter, Tensor
from .package import onnx
from .reading.plan import Planned, array_of, inlined, nodes_of, opset_of
from .reading.rules import ON_HOST, as_tensor
from .reading.types import dtype_of

_OURS = re.compile(r"constant(\.\d+)?")  # what export calls numbers that are no parameters


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
        model = inlined(model)
        self._model = model
        self._opset = opset_of(model)
        graph = model.graph
        held = {t.name: array_of(t) for t in graph.initializer}
        self.input_names = [v.name for v in graph.input if v.name not in held]
        self.output_names = [v.name for v in graph.output]
        self._dtypes = {v.name: v.type.tensor_type.elem_type for v in graph.input}
        self._graph = graph
        self._places: dict[str, tuple[str, ...]] = {}
        self._constants: dict[str, Any] = {}
        self._plans: dict[int, list[Planned]] = {}
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
            plan = self._plans[id(graph)] = [Planned(node, self._opset) for node in graph.node]
        for step in plan:
            inputs = [env[i] if i else None for i in step.node.input]
            outputs = step(inputs, self.training, partial(self._body, env), partial(self._moved, step))
            env.update((key, value) for key, value in zip(step.node.output, outputs, strict=False) if key)
        return [env[v.name] for v in graph.output]

    def _body(self, env: dict[str, Any], graph: Any, inputs: list[Any]) -> list[Any]:
        """A graph that is an attribute; it sees the values around it."""
        inner = dict(env)
        inner.update((t.name, array_of(t)) for t in graph.initializer)
        inner.update((v.name, value) for v, value in zip(graph.input, inputs, strict=True))
        return self._run(graph, inner)

    def _moved(self, step: Planned, operand: int, value: Tensor) -> None:
        """A running statistic has another value."""
        key = step.node.input[operand]
        if key in self._places:
            self._kept(key)._reset(value)

    def __getstate__(self) -> dict[str, Any]:
        # What has been prepared to be run is prepared again in a copy.
        return {**self.__dict__, "_plans": {}, "_graph": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._graph = self._model.graph

    def _module_info_string(self) -> str:
        return f"{len(self._graph.node)} nodes, opset {self._opset}"


# Operands that are weights or biases as integers.
_QUANTIZED = {
    "DequantizeLinear": (0,),
    "ConvInteger": (1,),
    "MatMulInteger": (1,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (3,),
}


def _roles(graph: Any, held: dict[str, np.ndarray]) -> tuple[set[str], set[str]]:
    """Which initializers are parameters, and which are running statistics, or integers that stand for weights."""
    integers = _read_at(graph, _QUANTIZED)
    moved = {n.input[k] for n in nodes_of(graph) if n.op_type == "BatchNormalization" for k in (3, 4)} & held.keys()
    settings = _read_at(graph, ON_HOST)
    moved |= {k for k in integers & held.keys() if held[k].ndim and np.dtype(held[k].dtype) in SUPPORTED} - settings
    trained = {
        key
        for key, a in held.items()
        if a.ndim and np.dtype(a.dtype) in SUPPORTED and a.dtype.kind in "fV" and not _OURS.fullmatch(key)
    }
    return trained - moved - settings, moved


def _read_at(graph: Any, places: Mapping[str, Sequence[int]]) -> set[str]:
    """The values that nodes read as these operands."""
    return {n.input[k] for n in nodes_of(graph) for k in places.get(n.op_type, ()) if k < len(n.input)}
