"""Queries: the expressions and nodes of a graph, by kind, name or number."""

from __future__ import annotations

import fnmatch
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .expr import CallFunction, CallMethod
from .node import ModuleNode

__all__ = ["BaseFilter", "ExprFilter", "NodeFilter", "expressions_of", "nodes_of"]


def expressions_of(graph: Any, recursive: bool = True, seen: set[int] | None = None) -> Iterator[Any]:
    """The expressions of a graph in order, inputs first, and behind each call of a traced module, those of its graph."""
    seen = set() if seen is None else seen
    yield from {id(node): node.expr for node in graph.inputs}.values()
    for expr in graph._exprs:
        yield expr
        below = getattr(expr, "graph", None) if recursive else None
        if below is not None and id(below) not in seen:
            seen.add(id(below))
            yield from expressions_of(below, True, seen)


def nodes_of(graph: Any, recursive: bool = True) -> Iterator[Any]:
    """The nodes of a graph, in the order of the expressions that make them."""
    for expr in expressions_of(graph, recursive):
        yield from expr.outputs


class BaseFilter:
    """What a query found; it is looked up anew each time.

    Args:
        iter: the objects.
    """

    def __init__(self, iter: Iterable[Any]) -> None:
        self._iter = iter

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iter)

    def as_list(self) -> list[Any]:
        """The objects as a list."""
        return list(self)

    def as_dict(self) -> OrderedDict[int, Any]:
        """The objects by their numbers."""
        return OrderedDict((item._id, item) for item in self)

    def as_unique(self) -> Any:
        """The object.

        Raises:
            AssertionError: none was found, or several.
        """
        found = self.as_list()
        if len(found) != 1:
            raise AssertionError(f"{len(found)} elements found")
        return found[0]

    def as_count(self) -> int:
        """How many there are."""
        return sum(1 for _ in self)


class ExprFilter(BaseFilter):
    """Expressions, which further conditions can be put on."""

    def call_function(self, func: Any) -> ExprFilterCallFunction:
        """The calls of a function; of any, for None."""
        return ExprFilterCallFunction(self, func)

    def call_method(self, method: Any) -> ExprFilterCallMethod:
        """The calls of a method, such as ``"__add__"``; of any, for None."""
        return ExprFilterCallMethod(self, method)

    def expr_id(self, expr_id: Any) -> ExprFilterExprId:
        """The expressions with these numbers."""
        return ExprFilterExprId(self, expr_id)


class ExprFilterCallFunction(ExprFilter):
    """The calls of a function."""

    def __init__(self, expr_iter: Iterable[Any], func: Any = None) -> None:
        super().__init__(expr_iter)
        self.func = func

    def __iter__(self) -> Iterator[Any]:
        return (e for e in self._iter if isinstance(e, CallFunction) and self.func in (None, e.func))


class ExprFilterCallMethod(ExprFilter):
    """The calls of a method."""

    def __init__(self, expr_iter: Iterable[Any], method: str | None = None) -> None:
        super().__init__(expr_iter)
        self.method = method

    def __iter__(self) -> Iterator[Any]:
        return (e for e in self._iter if isinstance(e, CallMethod) and self.method in (None, e.method))


def _numbers(ids: Any) -> Sequence[int]:
    return ids if isinstance(ids, Sequence) else [ids]


class ExprFilterExprId(ExprFilter):
    """The expressions with certain numbers."""

    def __init__(self, expr_iter: Iterable[Any], expr_id: Any) -> None:
        super().__init__(expr_iter)
        self._ids = _numbers(expr_id)

    def __iter__(self) -> Iterator[Any]:
        return (e for e in self._iter if e._id in self._ids)


class NodeFilter(BaseFilter):
    """Nodes, which further conditions can be put on."""

    def type(self, owner_type: Any) -> NodeFilterType:
        """Those that stand for modules of a class."""
        return NodeFilterType(self, owner_type)

    def node_id(self, node_id: Any) -> NodeFilterNodeId:
        """Those with these numbers."""
        return NodeFilterNodeId(self, node_id)

    def name(self, name: str, ignorecase: bool = True) -> NodeFilterName:
        """Those whose name, with that of their graph before it, fits a pattern of ``*`` and ``?``."""
        return NodeFilterName(self, name, ignorecase)


class NodeFilterType(NodeFilter):
    """The modules of a class."""

    def __init__(self, expr_iter: Iterable[Any], owner_type: Any) -> None:
        super().__init__(expr_iter)
        self.owner_type = owner_type

    def __iter__(self) -> Iterator[Any]:
        return (n for n in self._iter if isinstance(n, ModuleNode) and isinstance(n.owner, self.owner_type))


class NodeFilterNodeId(NodeFilter):
    """The nodes with certain numbers."""

    def __init__(self, expr_iter: Iterable[Any], node_id: Any) -> None:
        super().__init__(expr_iter)
        self._ids = _numbers(node_id)

    def __iter__(self) -> Iterator[Any]:
        return (n for n in self._iter if n._id in self._ids)


class NodeFilterName(NodeFilter):
    """The nodes whose full name fits a pattern."""

    def __init__(self, node_iter: Iterable[Any], pattern: str, ignorecase: bool = True) -> None:
        super().__init__(node_iter)
        self.pattern = pattern
        self._re = self.make_re(pattern, ignorecase)

    @classmethod
    def make_re(cls, pattern: str, ignorecase: bool = True) -> re.Pattern[str]:
        """The regular expression of a pattern."""
        return re.compile(fnmatch.translate(pattern), re.IGNORECASE if ignorecase else 0)

    def __iter__(self) -> Iterator[Any]:
        for node in self._iter:
            full = f"{node.top_graph._name}_{node._name}"
            if self.pattern == full or self._re.match(full):
                yield node
