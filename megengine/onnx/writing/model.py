"""From a :class:`~megengine.graph.exchange.Model` to an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...graph.exchange import Model
from ...graph.exchange.batch import Batched, Varying, at
from ...graph.exchange.model import GraphFileError
from ...graph.exchange.table import by_name
from ...graph.ir import Equation, Function, Scalar, Var
from ...graph.passes import explicit_casts
from ...graph.traced import forward
from ...ops.promote import SCALAR_DTYPE
from ...ops.sized import FROM_NUMBERS
from ...version import __version__
from ..package import OnnxError, onnx
from . import (
    drawing,
    elementwise,
    images,
    indexing,
    joining,
    losses,
    normalizing,
    places,
    primitives,
    products,
    quantizing,
    recurrent,
    reducing,
    shaping,
    sized,
    windows,
)
from .constants import Constants
from .graph import Graph, enum
from .jaxprs import decomposed
from .rules import RULES, Call

FAMILIES = (
    drawing, elementwise, images, indexing, joining, losses, normalizing, places, primitives, products,
    quantizing, recurrent, reducing, shaping,
    sized, windows,
)  # fmt: skip
OLDEST, DEFAULT = 13, 18


def write(model: Model, opset: int, other: Model | None = None, batch: str = "batch", graph_name: str = "main") -> Any:
    """The ONNX model.

    Args:
        model: the graph.
        opset: the version of the operators.
        other: the same graph with inputs of another batch size, for one whose batch is free.
        batch: what the free dimension is called.
        graph_name: the graph's name.

    Raises:
        OnnxError: an op has no form in ONNX.
    """
    return _Writer(model, opset, other, batch).model(graph_name)


class _Writer:
    def __init__(self, model: Model, opset: int, other: Model | None, batch: str) -> None:
        self.source = model
        self.batched = Batched(model, other, explicit_casts)
        self.function = self.batched.function
        self.constants = Constants(self.batched)
        self.batch = batch
        first = next((v for v in self.function.inputs if self._varies(v)), None)
        self.values: dict[Any, str] = {}
        self.sized: set[Var] = set()  # whose sizes depend on numbers
        self.graph = Graph(opset, first.name if first else None)
        self.read = {v for e in self.function.equations for v in e.reads()}

    def model(self, name: str) -> Any:
        """The whole."""
        helper, function, graph = onnx().helper, self.function, self.graph
        # Inputs and outputs have the first claim on their names.
        for var in (*function.inputs, *function.outputs):
            if not var.name or graph.fresh(var.name) != var.name:
                raise OnnxError(f"two inputs or outputs are called {var.name!r}")
        for var in function.inputs:
            self.values[var] = var.name
        names = {e: self.source.names.get(original, "") for e, original in _originals(function, self.source.function)}
        for equation in function.equations:
            if not isinstance(equation, Equation):
                raise OnnxError(f"{equation.name}{at(equation)}: gradients have no form in ONNX")
            self._add(equation, names.get(equation, ""))
        for var in function.outputs:
            self._finish(var)
        self.graph.without_dead([v.name for v in function.outputs])
        self._rename_parameters()
        made = helper.make_graph(
            self.graph.nodes,
            name,
            [self._info(v) for v in function.inputs],
            [self._info(v) for v in function.outputs],
            list(self._used()),
        )
        opsets = [helper.make_opsetid("", graph.opset)]
        model = helper.make_model(
            made, producer_name="megengine-xla", producer_version=__version__, opset_imports=opsets
        )
        model.ir_version = min(model.ir_version, helper.find_min_ir_version_for(opsets))
        return model

    def _rename_parameters(self) -> None:
        """A parameter that is held in another form only has its name."""
        read = {i for node in self.graph.nodes for i in node.input}
        names: dict[str, str] = {}
        for name, held in self.graph.reshaped.items():
            if name not in read:
                names[held] = names.get(name, name)
        for node in self.graph.nodes:
            for k, value in enumerate(node.input):
                node.input[k] = names.get(value, value)
        for held, name in names.items():
            tensor = self.graph.initializers.pop(held)
            tensor.name = name
            self.graph.initializers[name] = tensor

    def _used(self) -> Any:
        read = {i for node in self.graph.nodes for i in node.input}
        return (tensor for name, tensor in self.graph.initializers.items() if name in read)

    def _varies(self, var: Var) -> bool:
        return any(isinstance(s, Varying) for s in self.batched.shape(var))

    def _info(self, var: Var) -> Any:
        shape = [s if isinstance(s, int) else self.batch if s == Varying(1) else None for s in self.batched.shape(var)]
        if var in self.sized:
            shape = [None] * len(shape)
        return onnx().helper.make_tensor_value_info(var.name, enum(var.aval.dtype), shape)

    def _finish(self, var: Var) -> None:
        value = self._value(var)
        if value != var.name:  # an input or a constant is returned
            self.graph.nodes.append(
                onnx().helper.make_node("Identity", [value], [var.name], name=self.graph.fresh(f"{var.name}/Identity"))
            )

    def _value(self, operand: Var | Scalar) -> str:
        if isinstance(operand, Scalar):
            return self.graph.number(self.batched.number(operand), SCALAR_DTYPE[operand.kind])
        if operand not in self.values:
            array, graph = self.batched.constant(operand), self.graph
            self.values[operand] = graph.hold(graph.fresh(operand.name), array) if operand.name else graph.const(array)
        return self.values[operand]

    def _add(self, equation: Equation, name: str) -> None:
        graph = self.graph
        known = by_name().get(equation.name)
        if known is None or known.lower is not equation.op.lower:
            raise OnnxError(f"the op {equation.name}{at(equation)} has no form in ONNX")
        graph.source = equation.source
        graph.prefix = "/".join((*equation.scope, name or equation.name)) + "/"
        start = len(graph.nodes)
        try:
            call = self._call(equation)
            made = self._made(equation, call)
        except GraphFileError as error:
            raise OnnxError(f"the op {equation.name}{at(equation)} cannot be written: {error}") from error
        outputs = [made] if isinstance(made, str) else list(made)
        for k, (var, value) in enumerate(zip(equation.outputs, outputs, strict=True)):
            again = value in outputs[:k]  # one value for two results: it has a name already
            self.values[var] = self._named(
                var, self.values[equation.outputs[outputs.index(value)]] if again else value, start
            )
        if equation.op in FROM_NUMBERS or any(v in self.sized for v in equation.reads()):
            self.sized.update(equation.outputs)

    def _made(self, equation: Equation, call: Call) -> str | Sequence[str]:
        found = RULES.get(equation.name)
        if quantizing.goes_by_real_numbers(call):
            return quantizing.by_real_numbers(self.graph, call, found)
        return found(self.graph, call) if found is not None else self._decomposed(equation, call)

    def _decomposed(self, equation: Equation, call: Call) -> list[str]:
        """An op without a rule, by the primitives of JAX that it is made of."""
        if equation.op in FROM_NUMBERS:
            raise OnnxError("the size of its result depends on numbers")
        if equation.name == "dropout":
            raise OnnxError("it draws random numbers: call the module's eval() first")
        if any(isinstance(n, Varying) for shape in (*call.shapes, *call.out_shapes) for n in shape):
            raise OnnxError("it is written at fixed sizes: export it with dynamic_batch=False")
        signature = equation.signature
        traced, _ = forward(signature.op, signature.attrs, signature.casts, signature.specs)
        return decomposed(self.graph, traced.closed, call.inputs)

    def _named(self, var: Var, value: str, start: int) -> str:
        """Give the result of a rule the variable's own name where it has one."""
        output = var in self.function.outputs
        made_here = value not in self.values.values() and any(value in n.output for n in self.graph.nodes[start:])
        if not var.name or not (made_here or output):
            return value
        name = var.name if output else self.graph.fresh(var.name)
        if not made_here:
            value = self.graph.op("Identity", value)
        for node in self.graph.nodes[start:]:
            for names in (node.input, node.output):
                for k, old in enumerate(names):
                    if old == value:
                        names[k] = name
        self.graph.renamed(value, name)
        return name

    def _call(self, equation: Equation) -> Call:
        attributes = self.batched.attributes(equation)
        operands = [
            ((), SCALAR_DTYPE[o.kind]) if isinstance(o, Scalar) else (self.batched.shape(o), o.aval.dtype)
            for o in equation.inputs
        ]
        results = [(self.batched.shape(o), o.aval.dtype) for o in equation.outputs]
        inputs, of = [self._value(o) for o in equation.inputs], self.constants.of
        return Call(
            equation.name, inputs, attributes, operands, results,
            lambda k: of(equation.inputs[k]), lambda: of(equation.outputs[0]),
        )  # fmt: skip


def _originals(function: Function, source: Function) -> Any:
    """Pairs of an equation and that of the source, which has the same results."""
    known = {e.outputs: e for e in source.equations}
    return [(e, known[e.outputs]) for e in function.equations if e.outputs in known]
