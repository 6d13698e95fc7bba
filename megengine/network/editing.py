"""Graphs with other nodes in the place of some: copies, the graphs themselves stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from .nodes import ConstOpBase, GradientOpNode, Host2DeviceCopy, OpNode
from .order import operators
from .variables import VarNode


def replace_vars(dst: Sequence[VarNode], varmap: Mapping[VarNode, VarNode]) -> list[VarNode]:
    """The variables ``dst`` with others in the place of some that they depend on.

    Args:
        dst: the variables.
        varmap: what each is replaced by.

    Returns:
        new variables; operators between are copies.
    """
    new = {old.var: other.var for old, other in dict(varmap).items()}
    replaced = set(new)
    owners: dict[OpNode, OpNode] = {}
    for node in operators([*dst, *new.values()]):
        if not any(v in new and new[v] is not v for v in node.inputs):
            continue
        made = _copied(node, [new.get(v, v) for v in node.inputs], owners)
        for old, var in zip(node.outputs, made.outputs, strict=True):
            if old not in replaced:
                new[old] = var
    return [new.get(v.var, v.var) for v in dst]


def replace_oprs(dst: Sequence[VarNode], oprmap: Mapping[OpNode, OpNode]) -> list[VarNode]:
    """The variables ``dst`` with other operators in the place of some that they depend on.

    Args:
        dst: the variables.
        oprmap: what each is replaced by; both have as many outputs.
    """
    pairs: dict[VarNode, VarNode] = {}
    for old, new in dict(oprmap).items():
        pairs.update(zip(old.outputs, new.outputs, strict=True))
    return replace_vars(dst, pairs)


def set_priority_to_id(dest_vars: Sequence[VarNode]) -> None:
    """Give the operators that variables depend on the priority of their number, where they have none."""
    for node in operators(dest_vars):
        node.priority = node.priority or node.id


def _copied(node: OpNode, inputs: Sequence[VarNode], owners: dict[OpNode, OpNode]) -> OpNode:
    assert not isinstance(node, (ConstOpBase, Host2DeviceCopy))
    made = copy.copy(node)
    made.id = node.graph.number()
    made.inputs, made.outputs = [], []
    if isinstance(made, GradientOpNode):
        made.of = owners.get(made.of, made.of)
    owners[node] = made
    made.read(inputs)
    made.compile()
    for old, var in zip(node.outputs, made.outputs, strict=True):
        var.name = old.given_name
    return made
