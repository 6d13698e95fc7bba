"""What is done when a traced module comes from a file: old conventions brought up to date, references checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..tensor import Tensor
from ..version import __version__
from .arguments import convert_kwargs_to_args
from .expr import Apply, CallFunction, CallMethod, Input, made_operator
from .names import find_function, name_of_function
from .serialization import of_function, of_method, of_module, of_operator

__all__ = ["load_graphs"]


def load_graphs(graphs: Iterable[Any]) -> None:
    """Run the loaders of the expressions of graphs, and put the expressions that they made in place."""
    graphs = list(graphs)
    for graph in graphs:
        for expr in list(graph._exprs):
            if isinstance(expr, CallFunction):
                _function(expr)
            elif isinstance(expr, CallMethod):
                (_module if expr.method == "__call__" else _method)(expr)
            elif isinstance(expr, Apply):
                _operator(expr)
    for graph in graphs:
        _insert_new(graph)
        _users(graph)
        for expr in graph._exprs:
            graph._namespace.auto_naming_for_outputs(expr)


def _is_old(expr: Any) -> bool:
    return getattr(expr, "version", None) != __version__


def _update(expr: Any, function: Any) -> None:
    """The arguments by position, as the function has them today."""
    args, kwargs = convert_kwargs_to_args(function, expr.args, expr.kwargs)
    if len(args) != len(expr.args) or set(kwargs) != set(expr.kwargs):
        expr.set_args_kwargs(*args, **kwargs)


def _function(expr: Any) -> None:
    name = name_of_function(expr.func)
    loader = of_function(name)
    if loader is not None:
        loader(expr)
        expr.func = find_function(*name)
    if _is_old(expr):
        _update(expr, expr.func)


def _module(expr: Any) -> None:
    node = expr.inputs[0]
    loader = of_module((node.module_type.__module__, node.module_type.__qualname__))
    if loader is not None:
        loader(expr)
    if _is_old(expr) and expr._support_set_args_kwargs:
        _update(expr, node.module_type.forward)


def _method(expr: Any) -> None:
    loader = of_method(expr.method)
    if loader is not None:
        loader(expr)
    if _is_old(expr):
        target = expr.args[0] if isinstance(expr.args[0], type) else Tensor
        _update(expr, getattr(target, expr.method))


def _operator(expr: Any) -> None:
    loader = of_operator(type(expr.opdef))
    if loader is not None:
        loader(expr)
        expr.opdef = made_operator(expr.opdef_state)


def _insert_new(graph: Any) -> None:
    """Put expressions that loaders made before those that use them."""
    position = 0
    while position < len(graph._exprs):
        known = {id(expr) for expr in graph._exprs}
        new = [
            n.expr for n in graph._exprs[position].inputs if id(n.expr) not in known and not isinstance(n.expr, Input)
        ]
        new += _after(graph._exprs[position], known)
        if not new:
            position += 1
            continue
        own = [expr for expr in new if graph._exprs[position] not in _sources(expr)]
        graph._exprs[position:position] = list(dict.fromkeys(own))
        late = [expr for expr in new if expr not in own]
        graph._exprs[position + 1 + len(own) : position + 1 + len(own)] = list(dict.fromkeys(late))


def _after(expr: Any, known: set[int]) -> list[Any]:
    """Expressions that a loader put behind one: they use its outputs, and make what it made before."""
    return [user for node in expr.outputs for user in node.users if id(user) not in known]


def _sources(expr: Any) -> list[Any]:
    return [node.expr for node in expr.inputs]


def _users(graph: Any) -> None:
    """Make the lists of users those of the expressions that there are."""
    nodes = {id(n): n for expr in graph._exprs for n in (*expr.inputs, *expr.outputs)}
    nodes.update((id(n), n) for n in (*graph._inputs, *graph._outputs))
    for node in nodes.values():
        node.users = []
    for expr in graph._exprs:
        for node in expr.inputs:
            node.users.append(expr)
        for node in expr.outputs:
            node.expr = expr
