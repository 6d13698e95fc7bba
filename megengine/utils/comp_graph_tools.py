"""Functions on graphs in files: what depends on what, replacement, and running."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ..network.editing import replace_oprs, replace_vars, set_priority_to_id
from ..network.inference import GraphInference, find_vars_by_name
from ..network.nodes import ImmutableTensor, OpNode
from ..network.order import dependencies, operators
from ..network.variables import VarNode

__all__ = [
    "GraphInference", "embed_inputs", "find_vars_by_name", "get_dep_vars", "get_opr_type", "get_oprs_seq", "get_owner_opr_inputs",
    "get_owner_opr_type", "graph_traversal", "replace_oprs", "replace_vars", "set_priority_to_id",
]  # fmt: skip


def get_dep_vars(var: VarNode | Sequence[VarNode], var_type: str | Sequence[str] | None = None) -> list[VarNode]:
    """The variables that others depend on, and these themselves.

    Args:
        var: one or several.
        var_type: only those of operators of these types.
    """
    given = [var] if isinstance(var, VarNode) else list(var)
    wanted = (var_type,) if isinstance(var_type, str) else var_type
    found: dict[VarNode, None] = {}
    queue = given
    while queue:
        now = queue.pop(0).var
        if now not in found:
            found[now] = None
            queue += now.owner.inputs
    return [v for v in found if wanted is None or v.owner.type in wanted]


def get_owner_opr_inputs(var: VarNode) -> list[VarNode]:
    """The inputs of the operator that gives a variable."""
    return var.owner.inputs


def get_owner_opr_type(var: VarNode) -> str:
    """The type of the operator that gives a variable."""
    return var.owner.type


def get_opr_type(opr: OpNode) -> str:
    """The type of an operator."""
    assert isinstance(opr, OpNode)
    return opr.type


def graph_traversal(outputs: Sequence[VarNode]) -> tuple[Any, ...]:
    """The graph that variables depend on, by the numbers of its nodes.

    Returns:
        ``(map_oprs, map_vars, var2oprs, opr2receivers, indegree2opr, opr2indegree)``: operators and variables by number, for
        each variable the operators that read it with the operand, for each operator those that read from it, the operators by how
        many operands they have, and how many each has.
    """
    nodes = dependencies(outputs)
    map_oprs = {node.id: node for node in nodes}
    map_vars, var2oprs = {}, defaultdict(list)
    receivers, by_degree = defaultdict(list), defaultdict(set)
    for node in nodes:
        for k, var in enumerate(node.inputs):
            map_vars[var.id] = var
            var2oprs[var.id].append((node.id, k))
            receivers[var.owner.id].append(node.id)
        by_degree[len(node.inputs)].add(node.id)
    return map_oprs, map_vars, var2oprs, receivers, by_degree, {node.id: len(node.inputs) for node in nodes}


def get_oprs_seq(outputs: Sequence[VarNode], prune_reshape: bool = False, prune_immtensor: bool = True) -> list[OpNode]:
    """The operators that variables depend on, in an order in which they can run.

    Args:
        outputs: the variables.
        prune_reshape: accepted: shapes are attributes here, and no operators compute them.
        prune_immtensor: leave out constants.
    """
    found = operators(outputs)
    return [n for n in found if not (prune_immtensor and isinstance(n, ImmutableTensor))]


def embed_inputs(
    dst: Sequence[VarNode], data: Sequence[Any], inputs: Sequence[VarNode] | None = None
) -> tuple[list[VarNode], Mapping[str, VarNode]]:
    """The graph of variables with data in the place of inputs.

    Args:
        dst: the variables.
        data: an array for each input.
        inputs: the inputs; default all.

    Returns:
        the new variables, and the constants by the names of the inputs.
    """
    found = get_dep_vars(dst, "Host2DeviceCopy") if inputs is None else list(inputs)
    assert len(data) == len(found)
    made = {v.name: ImmutableTensor(d, v.name, graph=v.graph).outputs[0] for v, d in zip(found, data, strict=True)}
    return replace_vars(dst, {v: made[v.name] for v in found}), made
