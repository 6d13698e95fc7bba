"""The graph of one call of a module: its steps in order, queries on it, and its execution."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar, Self
from weakref import ReferenceType

from ..logger import get_logger
from ..utils.max_recursion_limit import max_recursion_limit
from .editing import Editing
from .expr import CallMethod, GetAttr
from .filters import ExprFilter, NodeFilter, expressions_of, nodes_of
from .namespace import NameSpace
from .node import ModuleNode, Node, TensorNode

__all__ = ["InternalGraph"]

logger = get_logger(__name__)


class InternalGraph(Editing):
    r"""What a call of a module does: expressions in order, from the nodes of its inputs to those of its outputs.

    Args:
        name: of the graph.
        qualname: the path of its module.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.linear = M.Linear(4, 5)
        ...     def forward(self, x):
        ...         return F.relu(self.linear(x + 1))
        >>> print(str(tm.trace_module(Net(), F.zeros((3, 4))).graph).replace("\t", "  "))
        Net.Graph (self, x) {
          %2:  add_out = x.__add__(1, )
          %3:  linear = getattr(self, "linear") -> (Linear)
          %4:  linear_out = linear(add_out, )
          %5:  relu_out = nn.relu(linear_out, )
          return relu_out
        }
    """

    _harmless: ClassVar[bool] = True
    _top_graph: ReferenceType[InternalGraph] | None = None
    _total_ids: tuple[int, int] | None = None

    def __init__(self, name: str, qualname: str) -> None:
        self._exprs = []
        self._inputs = []
        self._outputs = []
        self._watch_point: list[Any] = []
        self._end_point: list[Any] = []
        self._namespace = NameSpace(name, qualname)
        self._rst: dict[Any, Any] = defaultdict(list)
        self._name = name
        self._qualname = qualname

    @property
    def name(self) -> str:
        """The name, which the full names of its nodes begin with."""
        return self._name

    @name.setter
    def name(self, new_name: str) -> None:
        """Rename the graph.

        Raises:
            AssertionError: the name is used in the graph that calls this one.
        """
        above = self.top_graph
        if above is not None:
            if above._namespace.used_names.get(new_name) is not None:
                raise AssertionError(f"the name {new_name} is already in use: choose another")
            new_name = above._namespace.create_unique_name(new_name, self)
        self._name = new_name

    @property
    def qualname(self) -> str:
        """The path of its module, which begins with the name of the traced one."""
        return self._qualname

    @property
    def inputs(self) -> list[Any]:
        """The nodes of the inputs; the first is the module."""
        return self._inputs

    @property
    def outputs(self) -> list[Any]:
        """The nodes of the outputs."""
        return self._outputs

    @property
    def top_graph(self) -> InternalGraph | None:
        """The graph that calls this one."""
        return self._top_graph() if self._top_graph is not None else None

    # Queries

    def exprs(self, recursive: bool = True) -> ExprFilter:
        """The expressions.

        Args:
            recursive: also those of the graphs that it calls. Default: True
        """
        return ExprFilter(list(expressions_of(self, recursive)))

    def nodes(self, recursive: bool = True) -> NodeFilter:
        """The nodes.

        Args:
            recursive: also those of the graphs that it calls. Default: True
        """
        return NodeFilter(list(nodes_of(self, recursive)))

    def get_function_by_type(self, func: Any = None, recursive: bool = True) -> Any:
        """The calls of a function such as ``F.relu``."""
        return self.exprs(recursive).call_function(func)

    def get_method_by_type(self, method: str | None = None, recursive: bool = True) -> Any:
        """The calls of a method such as ``"__add__"``."""
        return self.exprs(recursive).call_method(method)

    def get_expr_by_id(self, expr_id: Any = None, recursive: bool = True) -> Any:
        """The expressions with a number, or numbers."""
        return self.exprs(recursive).expr_id(expr_id)

    def get_module_by_type(self, module_cls: Any, recursive: bool = True) -> Any:
        """The nodes of modules of a class."""
        return self.nodes(recursive).type(module_cls)

    def get_node_by_id(self, node_id: Any = None, recursive: bool = True) -> Any:
        """The nodes with a number, or numbers; ``f"{graph:i}"`` shows them."""
        return self.nodes(recursive).node_id(node_id)

    def get_node_by_name(self, name: str, ignorecase: bool = True, recursive: bool = True) -> Any:
        """The nodes whose full name fits a pattern of ``*`` and ``?``; ``f"{graph:p}"`` shows full names."""
        return self.nodes(recursive).name(name, ignorecase)

    def get_dep_exprs(self, nodes: Any) -> list[Any]:
        """The expressions that nodes depend on.

        Args:
            nodes: one or several.
        """
        queue = list(nodes) if isinstance(nodes, Sequence) else [nodes]
        found: dict[int, Any] = {}
        while queue:
            expr = queue.pop().expr
            if id(expr) not in found:
                found[id(expr)] = expr
                queue.extend(expr.inputs)
        return list(found.values())

    # Execution

    def interpret(self, *inputs: Any) -> list[Any]:
        """The values of the outputs for values of the inputs, the module first."""
        outputs, users = set(self._outputs), {}
        values: dict[Any, Any] = {}
        left = set(self._end_point)

        def give(nodes: Sequence[Any], given: Any) -> bool:
            """Keep values; whether no more are needed."""
            for node, value in zip(nodes, given, strict=True):
                users[node] = len(node.users) + (node in outputs) + (node in self._end_point)
                if users[node]:
                    values[node] = value
                if node in self._watch_point:
                    self._rst[node] = value
                left.discard(node)
            return bool(self._end_point) and not left

        done = give(self._inputs, inputs)
        for expr in self._exprs:
            if done:
                break
            made = expr.interpret(*[values[node] for node in expr.inputs])
            for node in expr.inputs:
                users[node] -= 1
                if not users[node]:
                    del values[node]
            if made is not None:
                done = give(expr.outputs, made)
        return [values[node] for node in (self._end_point or self._outputs)]

    def eval(self, *inputs: Any) -> list[Any]:
        """The values of the outputs for tensors in the place of ``inputs[1:]``.

        Raises:
            AssertionError: another number of tensors.
        """
        if len(inputs) != len(self._inputs) - 1:
            raise AssertionError(f"{len(inputs)} tensors for a graph of {len(self._inputs) - 1} inputs")
        return self.interpret(self._inputs[0].owner, *inputs)

    # Text, copies, files

    def __repr__(self) -> str:
        return format(self, "")

    def __format__(self, format_spec: str) -> str:
        """``i`` puts numbers before the names of nodes, ``p`` the graph's name."""
        before = Node._set_format_spec(format_spec)
        try:
            inputs, outputs = (", ".join(map(str, nodes)) for nodes in (self._inputs, self._outputs))
            body = "\n\t".join(map(str, self._exprs))
            name = f"{self._name}.Graph" if self._name else ""
            return f"{name} ({inputs}) {{\n\t{body}\n\treturn {outputs}\n}}"
        finally:
            Node._set_format_spec(before)

    def _reset_ids(self) -> None:
        """Number expressions and nodes in their order."""
        exprs, nodes = self.exprs().as_list(), self.nodes().as_list()
        for items in (exprs, nodes):
            for number, item in enumerate(items):
                item._id = number
        self._total_ids = (len(nodes), len(exprs))

    def _re_associate_name(self) -> None:
        """Name all nodes anew, as they are called as far as that is unique."""
        self._namespace.used_names.clear()
        for node in self.nodes(False):
            node._name = self._namespace.create_unique_name(node.name, node)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            **{name: getattr(self, name) for name in ("_exprs", "_inputs", "_outputs", "_namespace", "_name", "_qualname")},
            "_watch_point": [], "_end_point": [], "_rst": defaultdict(list),
        }  # fmt: skip
        if self._total_ids:
            state["_total_ids"] = self._total_ids
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        early = "_module_name" in state  # before MegEngine 1.8
        if early:
            state["_qualname"] = state.pop("_module_name")
            prefix = state.pop("_prefix_name")
            state["_name"] = f"{prefix}_{state['_name']}" if prefix else state["_name"]
        self.__dict__.update(state)
        if early:
            self._qualify()

    def _qualify(self) -> None:
        """Give nodes their qualified names, which early files have in part."""
        self._inputs[0]._qualname = self._qualname
        for expr in self._exprs:
            if isinstance(expr, GetAttr):
                expr.outputs[0]._qualname = f"{expr.inputs[0]._qualname}.{expr.name}"
        for node in self.nodes(False):
            if isinstance(node.expr, CallMethod) and isinstance(node.expr.inputs[0], ModuleNode):
                node._qualname = f"{node.expr.inputs[0]._qualname}.[out]"
            elif isinstance(node, TensorNode) and not isinstance(node.expr, GetAttr) and node._qualname:
                node._qualname = f"{self._qualname}.{node._qualname}"
        self._namespace = NameSpace(self._name, self._qualname)
        self._re_associate_name()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        with max_recursion_limit():
            for name, value in self.__dict__.items():
                if not isinstance(value, ReferenceType):
                    made.__dict__[name] = copy.deepcopy(value, memo)
        return made


InternalGraph.__module__ = "megengine.traced_module.traced_module"  # its name in files
