"""Insertion: what is called on nodes within a block becomes expressions of their graph."""

from __future__ import annotations

import functools
from typing import Any

from ..core.ops import builtin
from ..core.ops.opdef import apply
from ..functional import zeros
from ..module import Module
from ..tensor import Tensor
from .expr import Expr, GetAttr
from .module_tracer import module_tracer
from .node import ModuleNode, Node, TensorNode
from .pytree import SUPPORTED_TYPE, tree_flatten
from .scopes import Scope
from .tm_config import exclude_from_trace, state

__all__ = ["InsertExprs"]


class _OnNodes(module_tracer):
    """A tracer whose functions also take nodes, for which tensors of their shapes stand, and then give nodes."""

    def __init__(self, insertion: InsertExprs, graph_type: Any, traced_type: Any) -> None:
        super().__init__(graph_type, traced_type)
        self._insertion = insertion

    def _function(self, original: Any) -> Any:
        return self._insertion.on_nodes(super()._function(original))


class InsertExprs:
    """The block: see :meth:`InternalGraph.insert_exprs`.

    Args:
        graph: what is inserted into.
        expr: what to insert after; None for as early as possible.
    """

    def __init__(self, graph: Any, expr: Any = None) -> None:
        self.graph = graph
        self.expr = expr
        self.root = graph
        while self.root.top_graph is not None:
            self.root = self.root.top_graph

    def __enter__(self) -> None:
        if state.tracer is not None:
            raise AssertionError("expressions are inserted one block at a time, and not while a module is traced")
        if self.root._total_ids is None:
            self.root._reset_ids()
        node_id, expr_id = self.root._total_ids
        Node._set_next_id(node_id)
        Expr._set_next_id(expr_id)
        inserted = type(self.graph)(self.graph._name, self.graph._qualname)
        inserted._namespace.merge(self.graph._namespace)
        module = self.graph.inputs[0].owner
        self.scope = Scope(inserted, module)
        self.scope.bind(module, self.graph.inputs[0])
        self.tracer = state.tracer = _OnNodes(self, type(self.graph), type(self.root.inputs[0].owner))
        self.tracer.scopes.append(self.scope)
        self._called: list[Any] = []
        self.tracer.patcher.__enter__()
        state.surgery, state.tracing = self, True

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        state.surgery, state.tracing, state.tracer = None, False, None
        self.tracer.patcher.__exit__()
        if error is None:
            self._replace_modules()
            self._insert()

    # What nodes do within the block

    def on_nodes(self, function: Any) -> Any:
        """A function that also takes nodes, and gives nodes for them."""

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            leaves, structure = tree_flatten((args, kwargs), is_leaf=lambda _: True)
            if state.surgery is not self or not any(isinstance(leaf, TensorNode) for leaf in leaves):
                return function(*args, **kwargs)
            return self._run(function, *_unflatten(structure, iter([self._value(leaf) for leaf in leaves])))

        return called

    def _run(self, function: Any, args: Any, kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        leaves, structure = tree_flatten(result, is_leaf=lambda _: True)
        nodes = [self.tracer.scope.node_of(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        for node, leaf in zip(nodes, leaves, strict=True):
            if isinstance(node, TensorNode):
                node.value = leaf
        return _unflatten(structure, iter(nodes))

    def _value(self, leaf: Any) -> Any:
        """A tensor in the place of a node."""
        if isinstance(leaf, ModuleNode):
            return leaf.owner
        if not isinstance(leaf, TensorNode):
            return leaf
        if leaf.value is None:
            with exclude_from_trace():
                leaf.value = zeros(leaf._shape or (), dtype=leaf._dtype or "float32")
        self._use(leaf)
        self.tracer.scope.bind(leaf.value, leaf)
        return leaf.value

    def _use(self, node: Any) -> None:
        if node.top_graph is not None:
            self.scope.graph._add_input(node)

    def method(self, node: Any, name: str) -> Any:
        """A method of tensors for a node."""
        found = getattr(Tensor, name)  # the recording version
        if not callable(found):
            return self._run(lambda tensor: getattr(tensor, name), (self._value(node),), {})
        bound = functools.partial(self.on_nodes(found), node)
        return (lambda *args: bound(*args) and None) if name == "__setitem__" else bound

    def shape(self, node: Any) -> Any:
        """The sizes of a node as a node."""
        if not state.tracing:
            return node._shape
        return self._run(
            lambda tensor: self.tracer.wrapped(apply)(builtin.GetVarShape(), tensor)[0], (self._value(node),), {}
        )

    def attribute(self, node: Any, name: str) -> Any:
        """An attribute of a module's node; a node for tensors and modules."""
        holder = node.owner
        value = holder[int(name)] if isinstance(holder, (list, tuple)) else getattr(holder, name)
        if not isinstance(value, (Tensor, Module)):
            return value
        self._use(node)
        self.tracer.built_of(holder).use(name, value)
        expr = GetAttr(node, TensorNode if isinstance(value, Tensor) else ModuleNode, name)
        graph = self.scope.graph
        graph._namespace.auto_naming_for_outputs(expr)
        graph._insert(expr)
        self.tracer.bind(value, expr.outputs[0])
        if isinstance(value, Tensor):
            expr.outputs[0].value = value
        return expr.outputs[0]

    def call(self, node: Any, args: Any, kwargs: Any) -> Any:
        """Call the module of a node."""
        module = node.owner
        self._use(node)
        self.scope.bind(module, node)
        self._called.append((node, module))
        return self.on_nodes(type(module).__call__)(module, *args, **kwargs)

    def graph_of(self, node: Any) -> Any:
        """The graph that a node of the block is going to be in."""
        return self.tracer.scope.graph if node._top_graph is None else None

    # The end of the block

    def _replace_modules(self) -> None:
        """Put traced modules in the place of those that were called."""
        memo: dict[int, Any] = {}
        for _, module in self._called:
            if self.tracer.is_builtin(module):
                self.tracer.build(module)
                continue
            traced = self.tracer.build(module, False, memo)
            if traced is not module:
                _replace(self.graph.inputs[0].owner, module, traced)

    def _insert(self) -> None:
        exprs = self.graph._exprs
        place = {id(expr): k for k, expr in enumerate(exprs)}
        for node in self.scope.graph.inputs:
            if node.top_graph is not self.graph:
                raise AssertionError(f"the node {node} is not in the graph ({self.graph._name})")
        after = [place.get(id(node.expr), -1) for node in self.scope.graph.inputs]
        start = max([*after, place.get(id(self.expr), -1), -1]) + 1
        exprs[start:start] = self.scope.graph._exprs
        self.graph._namespace.merge(self.scope.graph._namespace)
        self.root._total_ids = (Node._get_next_id(), Expr._get_next_id())
        self.root.inputs[0].owner._update_ref()
        for node in self.root.nodes():
            if isinstance(node, TensorNode):
                node.value = None


def _replace(holder: Any, module: Any, traced: Any) -> None:
    """Put a module in the place of another, wherever below a module that is."""
    for below in [*holder.modules()]:
        for name, value in list(vars(below).items()):
            if value is module:
                setattr(below, name, traced)


def _unflatten(structure: Any, leaves: Any) -> Any:
    """Containers of any leaves, nodes and numbers among them."""
    if hasattr(structure, "const_val"):
        return next(leaves)
    items = [_unflatten(child, leaves) for child in structure.children_defs]
    return SUPPORTED_TYPE[structure.type].unflatten(items, structure.aux_data)
