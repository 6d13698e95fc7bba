"""How a graph that is edited grows: the classes of its operators, ops on variables, and the values of constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.infer import infer
from ..graph.value import Handle, Symbol
from ..ops.op import Op
from ..ops.sized import FROM_NUMBERS
from ..tensor import Tensor
from .kinds import CLASSES, OTHERS, TYPES, type_of
from .nodes import ConstOpBase, ImmutableTensor, OpNode, ReadOnlyOpNode, spec_of
from .order import operators
from .resizing import sized
from .variables import Graph, VarNode, register_building


def _classes() -> dict[str, type[OpNode]]:
    """A class for each type, by the type, as MegEngine names them."""
    kinds = sorted({*TYPES.values(), *OTHERS})
    made: dict[str, type[OpNode]] = {}
    for kind in kinds:
        name = CLASSES.get(kind, kind)
        base = made.get(name) or type(name, (OpNode,), {"type": kind, "__doc__": f"MegEngine's ``{kind}``."})
        made[name] = made[kind] = base
    return made


BY_TYPE = _classes()


def node_of(op: Op, attributes: dict[str, Any], inputs: Sequence[VarNode], graph: Graph) -> OpNode:
    """A new operator; its outputs are inferred."""
    kind = type_of(op.name)
    node = BY_TYPE.get(kind, ReadOnlyOpNode)(graph)
    node.op, node.type, node.attributes = op, kind, attributes
    node.read(inputs)
    node.compile()
    return node


def apply_symbolically(op: Op, operands: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Add an op to the graph of the first symbolic operand; others become constants of it."""
    first = next(x for x in operands if isinstance(x, Handle) and isinstance(x._value, Symbol))
    graph: Graph = first._value.node.graph  # type: ignore[attr-defined]
    inputs = [as_var(x, graph) for x in operands]
    attributes = op.named(op.in_order(named))
    node = node_of(op, attributes, inputs, graph)
    multi = infer(op, op.in_order(named), tuple(map(spec_of, node.inputs))).multi
    results = tuple(v.alias() for v in node.outputs)
    return results if multi else results[0]


def as_var(x: Any, graph: Graph) -> VarNode:
    """A variable as it is; a tensor, an array or a number as a constant of the graph."""
    if isinstance(x, VarNode):
        return x._itself
    return ImmutableTensor(x, graph=graph).outputs[0]


def evaluated(var: VarNode) -> np.ndarray:
    if isinstance(var.owner, ConstOpBase):
        return var.owner.numpy()
    env: dict[VarNode, Any] = {}
    for node in operators([var]):
        if isinstance(node, ConstOpBase):
            env[node.outputs[0]] = node.data if node.is_number else Tensor(node.numpy(), dtype=node.dtype)
        elif node.op is None:
            raise RuntimeError(f"{var.name} has no value: it depends on {node.name} of its graph")
        else:
            operands = [env[v] for v in node.inputs]
            attributes = sized(node.op, node.attributes, operands) if node.op in FROM_NUMBERS else node.attributes
            made = apply(node.op, *operands, **attributes)
            env.update(zip(node.outputs, made if isinstance(made, tuple) else (made,), strict=True))
    return env[var].numpy()  # type: ignore[no-any-return]


register_building(apply_symbolically, as_var, evaluated)
