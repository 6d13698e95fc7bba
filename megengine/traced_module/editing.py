"""Changes of a graph: inputs, outputs, insertion, replacement, removal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..logger import get_logger
from ..tensor import Tensor
from .expr import GetAttr, Input, get_suffix_name
from .node import ModuleNode, TensorNode
from .pytree import tree_flatten
from .surgery import InsertExprs

if TYPE_CHECKING:
    from .namespace import NameSpace

__all__ = ["Editing"]

logger = get_logger(__name__)


class Editing:
    """The methods of :class:`InternalGraph` that change it."""

    _exprs: list[Any]
    _inputs: list[Any]
    _outputs: list[Any]
    _namespace: NameSpace
    _qualname: str

    if TYPE_CHECKING:

        def get_dep_exprs(self, nodes: Any) -> list[Any]: ...

    def _insert(self, expr: Any) -> None:
        self._exprs.append(expr)

    def _add_input(self, node: Any) -> None:
        self._inputs.append(node)

    def _add_output(self, node: Any) -> None:
        self._outputs.append(node)

    # Inputs and outputs

    def _top_module(self, use: str) -> Any:
        """The module of the graph, which has to be the outermost one."""
        module = self._inputs[0].owner
        if not module._is_top:
            raise AssertionError(f"{use} works on the outermost graph only")
        return module

    def _new_input(self, name: str, shape: Any, dtype: Any) -> Any:
        name = self._namespace.create_unique_name(name)
        node = Input(TensorNode, name, f"{self._qualname}.[{name}]").outputs[0]
        self._namespace.associate_name_with_obj(name, node)
        node.shape, node.dtype = shape, dtype
        return node

    def _restructure(self, module: Any, structure: Any) -> None:
        """Have calls of another structure of arguments run the graph."""
        before = next(iter(module.argdef_graph_map))
        for by_structure in (module.argdef_graph_map, module.argdef_outdef_map):
            by_structure[structure] = by_structure.pop(before)

    def reset_inputs(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Give the outermost graph new inputs, without users.

        Args:
            args: tensors for which it is called later, in containers.
            kwargs: those by keyword.

        Returns:
            The nodes of the tensors.
        """
        module = self._top_module("reset_inputs")
        leaves, structure = tree_flatten(((module, *args), kwargs))
        if not all(isinstance(leaf, Tensor) for leaf in leaves[1:]):
            raise AssertionError("the inputs of a graph are tensors")
        nodes = [self._new_input("args", leaf.shape, leaf.dtype) for leaf in leaves[1:]]
        self._inputs[1:] = nodes
        module.argspec = None
        self._restructure(module, structure)
        return nodes

    def add_input_node(self, shape: Any, dtype: Any = "float32", name: str = "args") -> Any:
        """Add an input to the outermost graph, the last of the positional arguments.

        Args:
            shape: its shape.
            dtype: its dtype. Default: ``"float32"``
            name: of the node; made unique.

        Returns:
            The node.
        """
        module = self._top_module("add_input_node")
        args, kwargs = next(iter(module.argdef_graph_map)).unflatten(_with_constants(module, self._inputs))
        node = self._new_input(name, shape, dtype)
        leaves, structure = tree_flatten(((*args, node), kwargs))
        self._inputs[:] = [leaf for leaf in leaves if isinstance(leaf, (TensorNode, ModuleNode))]
        module.argspec = None
        self._restructure(module, structure)
        module._update_ref()
        return node

    def reset_outputs(self, outputs: Any) -> None:
        """Give the outermost graph other outputs.

        Args:
            outputs: nodes, in containers.

        Example:
            >>> import megengine.traced_module as tm
            >>> class Add(M.Module):
            ...     def forward(self, x):
            ...         return x + 1
            >>> net = tm.trace_module(Add(), F.zeros((1,)))
            >>> net.graph.reset_outputs((net.graph.outputs[0], {"input": net.graph.inputs[1]}))
            >>> net(F.zeros((1,)))
            (Tensor([1.], device=xpux:0), {'input': Tensor([0.], device=xpux:0)})
        """
        module = self._top_module("reset_outputs")
        nodes, structure = tree_flatten(outputs, is_leaf=lambda x: isinstance(x, TensorNode))
        self._outputs[:] = nodes
        module.argdef_outdef_map[next(iter(module.argdef_graph_map))] = structure

    def add_output_node(self, node: Any) -> None:
        """Have the outermost graph return the pair of what it returned and a node."""
        module = self._top_module("add_output_node")
        structure = module.argdef_outdef_map[next(iter(module.argdef_graph_map))]
        self.reset_outputs((structure.unflatten(self._outputs), node))

    # Expressions

    def insert_exprs(self, expr: Any = None) -> Any:
        """Have what is called on nodes in a ``with`` block inserted into the graph.

        Args:
            expr: the expression to insert after. By default as early as the nodes that are used allow.

        Example:
            >>> import megengine.traced_module as tm
            >>> net = tm.trace_module(M.Sequential(M.ReLU()), Tensor([-1.0, 2.0]))
            >>> out = net.graph.outputs[0]
            >>> with net.graph.insert_exprs():
            ...     twice = F.exp(out) * 2
            >>> net.graph.replace_node({out: twice})
            >>> net.graph.compile()
            >>> net(Tensor([0.0]))
            Tensor([2.], device=xpux:0)
        """
        if expr is not None and expr.top_graph is not self:
            raise AssertionError("the expression to insert after is not in the graph")
        return InsertExprs(self, expr)

    def replace_node(self, repl_dict: dict[Any, Any]) -> None:
        """Let users of nodes, and the graph's outputs, take others.

        Users that are not after the other node, or that it depends on, keep the one.

        Args:
            repl_dict: from nodes to those in their place; it is emptied.

        Raises:
            AssertionError: the nodes are of different kinds, or not of this graph.
        """
        while repl_dict:
            node, other = repl_dict.popitem()
            if type(node) is not type(other):
                raise AssertionError(f"{node} is a {type(node).__name__}, {other} a {type(other).__name__}")
            if other.top_graph is not self:
                raise AssertionError(f"{other} is not in the graph")
            self._outputs[:] = [other if out is node else out for out in self._outputs]
            place = {id(expr): k for k, expr in enumerate(self._exprs)}
            made_at = place.get(id(other.expr), -1)
            needed = {id(expr) for expr in self.get_dep_exprs(other)}
            for user in list(node.users):
                if place.get(id(user), made_at + 1) <= made_at or id(user) in needed:
                    continue
                user.inputs[user.inputs.index(node)] = other
                node.users.remove(user)
                other.users.append(user)

    def _merge_getattr_expr(self) -> None:
        """One expression for each attribute, from the graph's module."""
        known: dict[tuple[int, str], Any] = {}
        paths: dict[int, tuple[Any, str]] = {}
        for expr in [e for e in self._exprs if isinstance(e, GetAttr)]:
            base, path, out = expr.inputs[0], expr.name, expr.outputs[0]
            if id(base) in paths:
                base, before = paths[id(base)]
                path = f"{before}.{path}"
            if get_suffix_name(base.qualname, out.qualname) != path:
                logger.warning("%s.qualname is %s, not %s.%s; it is mended", out, out.qualname, base.qualname, path)
                out._qualname = f"{base.qualname}.{path}"
            paths[id(out)] = (base, path)
            first = known.setdefault((id(base), path), out)
            if first is not out:
                for user in out.users:
                    user.inputs[user.inputs.index(out)] = first
                first.users.extend(out.users)
                out.users = []
            elif path != expr.name:
                expr.name = path
                expr.inputs[0].users.remove(expr)
                base.users.append(expr)
                expr.inputs[0] = base

    def compile(self) -> None:
        """Remove the expressions that no output depends on, and that may be removed."""
        self._merge_getattr_expr()
        kept = [node for expr in self._exprs if expr._disable_remove for node in expr.outputs]
        needed = {id(expr) for expr in self.get_dep_exprs([*self._outputs, *kept])}
        for expr in [e for e in self._exprs if id(e) not in needed and not e._disable_remove]:
            for node in expr.inputs:
                node.users.remove(expr)
            for node in expr.outputs:
                self._namespace.unassociate_name_with_obj(node)
        self._exprs[:] = [e for e in self._exprs if id(e) in needed or e._disable_remove]


def _with_constants(module: Any, nodes: Sequence[Any]) -> list[Any]:
    """The leaves of the arguments of a traced module: nodes, and constants where those are."""
    left = iter(nodes)
    return [
        next(left) if leaf.const_val is None and type(None) not in leaf.type else leaf.const_val
        for leaf in leaves_of(next(iter(module.argdef_graph_map)))
    ]


def leaves_of(structure: Any) -> list[Any]:
    """The descriptions of the leaves of a structure."""
    if not structure.children_defs and hasattr(structure, "const_val"):
        return [structure]
    return [leaf for child in structure.children_defs for leaf in leaves_of(child)]
