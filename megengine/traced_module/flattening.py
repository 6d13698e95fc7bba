"""A graph without calls of other graphs: theirs are put in their place."""

from __future__ import annotations

import copy
from typing import Any

from .expr import CallMethod, GetAttr, Input
from .node import ModuleNode, TensorNode

__all__ = ["flattened"]


def flattened(graph: Any, module: Any) -> list[Any]:
    """The expressions of a graph with those of the graphs that it calls.

    Args:
        graph: it is changed.
        module: the traced module of it.
    """
    return _exprs(graph, module, "")


def _exprs(graph: Any, module: Any, prefix: str) -> list[Any]:
    owners = {id(graph._inputs[0]): module}
    found: list[Any] = []
    for expr in list(graph._exprs):
        if isinstance(expr, GetAttr):
            owners[id(expr.outputs[0])] = expr.interpret(owners[id(expr.inputs[0])])[0]
        if prefix:
            for node in expr.outputs:
                node._name = f"{prefix}_{node._name}"
        below = _called(expr, owners)
        if below is None:
            found.append(expr)
            continue
        inner = copy.deepcopy(below)  # the graph may be called several times
        exprs = _exprs(inner, owners[id(expr.inputs[0])], expr.inputs[0]._name)
        _connect(graph, expr, inner)
        found.extend(exprs)
    return found


def _called(expr: Any, owners: dict[int, Any]) -> Any:
    """The graph of a traced module that an expression calls; None for others, and for layers that observe."""
    if not isinstance(expr, CallMethod) or not isinstance(expr.inputs[0], ModuleNode):
        return None
    owner = owners.get(id(expr.inputs[0]))
    if owner is None or getattr(owner, "is_qat", False):
        return None
    return getattr(owner, "argdef_graph_map", {}).get(expr.arg_def)


def _connect(graph: Any, call: Any, inner: Any) -> None:
    """Have what used a call's results use those of the inner graph, which takes the call's arguments."""
    for outside, node in zip(call.inputs, inner._inputs, strict=True):
        outside.users = [user for user in outside.users if user is not call]
        for user in node.users:
            user.inputs = [outside if n is node else n for n in user.inputs]
            outside.users.append(user)
    arguments = dict(zip(map(id, inner._inputs), call.inputs, strict=True))
    taken: dict[int, Any] = {}
    for out, node in zip(call.outputs, inner._outputs, strict=True):
        other = arguments.get(id(node)) if isinstance(node.expr, Input) else taken.get(id(node))
        if other is None:  # the call's node stands for the inner one
            taken[id(node)] = out
            _stand_for(out, node)
            continue
        for user in out.users:
            user.inputs = [other if n is out else n for n in user.inputs]
            other.users.append(user)
        graph._outputs[:] = [other if n is out else n for n in graph._outputs]
        out.users = []


def _stand_for(out: Any, node: Any) -> None:
    expr = node.expr
    expr.outputs = [out if n is node else n for n in expr.outputs]
    for user in node.users:
        user.inputs = [out if n is node else n for n in user.inputs]
    out.expr = expr
    out.users.extend(node.users)
    if isinstance(node, TensorNode):
        out._qualname = node._qualname
