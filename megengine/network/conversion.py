"""Between the nodes of a network and the :class:`~megengine.graph.exchange.Model` that a file holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph.exchange import Model
from ..graph.infer import infer
from ..graph.ir import AnyEquation, Equation, Function, Scalar, Var, VjpEquation
from .building import node_of
from .nodes import ConstOpBase, GradientOpNode, Host2DeviceCopy, ImmutableTensor, OpNode, spec_of
from .order import operators
from .variables import Graph, VarNode


def to_nodes(model: Model) -> tuple[Graph, list[VarNode], list[VarNode]]:
    """A graph with its inputs and outputs as nodes."""
    graph = Graph()
    function = model.function
    nodes: dict[Var, VarNode] = {}
    owners: dict[AnyEquation, OpNode] = {}
    for var in function.inputs:
        made = Host2DeviceCopy(name=var.name, graph=graph)
        made.outputs[0]._value.aval = var.aval
        nodes[var] = made.outputs[0]

    def operand(o: Var | Scalar) -> VarNode:
        if isinstance(o, Scalar):
            number: Any = model.floats[o.number] if o.kind == "f" else model.ints[o.number]
            return ImmutableTensor(bool(number) if o.kind == "b" else number, graph=graph).outputs[0]
        if o not in nodes:
            held = ImmutableTensor(name=o.name, graph=graph)
            held.hold(np.asarray(function.constants[o]), o.aval)
            nodes[o] = held.outputs[0]
        return nodes[o]

    for equation in function.equations:
        node = _node(equation, operand, owners, graph)
        owners[equation] = node
        node.name = model.names.get(equation, "")
        node.scope, node.source = equation.scope, equation.source
        for var, made_var in zip(equation.outputs, node.outputs, strict=True):
            made_var.name = var.name
            nodes[var] = made_var
    return graph, [nodes[v] for v in function.inputs], [operand(v) for v in function.outputs]


def _node(
    equation: AnyEquation, operand: Callable[[Any], VarNode], owners: dict[AnyEquation, OpNode], graph: Graph
) -> OpNode:
    if isinstance(equation, Equation):
        return node_of(equation.op, equation.attributes, [operand(v) for v in equation.inputs], graph)
    given = tuple(c is not None for c in equation.cotangents)
    of = owners[equation.of]
    node = GradientOpNode(of, equation.linearised, equation.wrt, given)
    node.read([*of.inputs, *(operand(c) for c in equation.cotangents if c is not None)])
    node.compile()
    return node


def to_model(
    outputs: Sequence[VarNode], inputs: Sequence[VarNode] | None = None, names: Callable[[VarNode], str] | None = None
) -> Model:
    """What computes these variables.

    Args:
        outputs: the variables.
        inputs: in which order inputs come first; others follow in the order of the graph.
        names: what a variable is called in it; default the name that it was given.
    """
    return _Writer(outputs, inputs or (), names or (lambda var: var.given_name)).model()


class _Writer:
    def __init__(self, outputs: Sequence[VarNode], inputs: Sequence[VarNode], name: Callable[[VarNode], str]) -> None:
        self.outputs = dict.fromkeys(v._itself for v in outputs)
        self.returned = [v._itself for v in outputs]
        self.name = name
        self.floats: list[float] = []
        self.ints: list[int] = []
        self.vars: dict[VarNode, Var] = {}
        self.constants: dict[Var, Any] = {}
        self.equations: dict[OpNode, Any] = {}
        order = operators(self.returned)
        present = sorted((o.outputs[0] for o in order if isinstance(o, Host2DeviceCopy)), key=lambda v: v.id)
        # Equality of variables is an op: they are looked for in dictionaries, which compare identities first.
        found = dict.fromkeys(present)
        first = {v._itself: None for v in inputs if v._itself in found}
        self.inputs = list({**first, **found})
        self.order = order
        self.names: dict[AnyEquation, str] = {}

    def model(self) -> Model:
        for var in self.inputs:
            self._var(var)
        for node in self.order:
            if isinstance(node, ConstOpBase):
                if not node.is_number or node.outputs[0] in self.outputs:
                    self.constants[self._var(node.outputs[0])] = np.asarray(node.data, node.dtype)
            elif not isinstance(node, Host2DeviceCopy):
                self.equations[node] = equation = self._equation(node)
                if node.given_name:
                    self.names[equation] = node.given_name
        inputs = [self.vars[v] for v in self.inputs]
        returned = [self.vars[v] for v in self.returned]
        equations = self.equations.values()
        function = Function(inputs, equations, returned, len(self.floats), len(self.ints), constants=self.constants)
        return Model(function, self.floats, self.ints, self.names)

    def _var(self, var: VarNode) -> Var:
        return self.vars.setdefault(var, Var(var._value.aval, self.name(var)))

    def _equation(self, node: OpNode) -> AnyEquation:
        where = len(self.equations), node.source, node.scope
        if isinstance(node, GradientOpNode):
            found = iter(node.inputs[len(node.of.inputs) :])
            cotangents = tuple(self.vars[next(found)] if given else None for given in node.given)
            outputs = tuple(map(self._var, node.outputs))
            return VjpEquation(self.equations[node.of], node.linearised, node.wrt, cotangents, outputs, *where)
        assert node.op is not None
        signature = infer(node.op, node.op.in_order(node.attributes), tuple(map(spec_of, node.inputs)))
        inputs = tuple(map(self._operand, node.inputs))
        return Equation(signature, inputs, tuple(map(self._var, node.outputs)), *where)

    def _operand(self, var: VarNode) -> Var | Scalar:
        spec = spec_of(var)
        if not isinstance(spec, str):
            return self.vars[var]
        number = var.owner.data  # type: ignore[attr-defined]
        if spec == "f":
            self.floats.append(float(number))
            return Scalar("f", len(self.floats) - 1)
        self.ints.append(int(number))
        return Scalar(spec, len(self.ints) - 1)
