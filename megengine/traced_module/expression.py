"""The base of expressions: the steps of a traced module's graph."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ReferenceType

from .arguments import convert_kwargs_to_args
from .node import ModuleNode, Node, TensorNode
from .pytree import is_const_leaf, is_leaf, tree_flatten

if TYPE_CHECKING:
    from .internal_graph import InternalGraph

__all__ = ["Expr", "get_suffix_name"]


def get_suffix_name(prefix: str, name: str) -> str | None:
    """What follows a dotted prefix in a name; None if the name does not begin with it.

    Example:
        >>> from megengine.traced_module.expr import get_suffix_name
        >>> get_suffix_name("net.block", "net.block.conv")
        'conv'
    """
    if prefix == name:
        return ""
    found = re.match(rf"^{re.escape(prefix)}\.(.*)", name)
    return None if found is None else found.group(1)


class Expr:
    """One step of a graph.

    Attributes:
        inputs: the nodes that it takes.
        outputs: the nodes that it makes.
        const_val: the other arguments, with their positions among all.
        arg_def: the structure of the arguments.
        out_def: the structure of the result.
    """

    _harmless: ClassVar[bool] = True
    _next: ClassVar[int] = 0
    _top_graph: ReferenceType[InternalGraph] | None = None
    arg_def: Any = None
    out_def: Any = None
    const_val: Any = None
    name: Any = None

    def __init__(self) -> None:
        self._id = Expr._get_next_id()
        Expr._set_next_id(self._id + 1)
        self._disable_remove = False
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    @classmethod
    def _get_next_id(cls) -> int:
        return Expr._next

    @classmethod
    def _set_next_id(cls, id: int = 0) -> None:
        Expr._next = id

    def enable_remove(self) -> None:
        """Let :meth:`InternalGraph.compile` remove the expression where nothing uses it; that is the default."""
        self._disable_remove = False

    def disable_remove(self) -> None:
        """Keep the expression where nothing uses it."""
        self._disable_remove = True

    @property
    def top_graph(self) -> InternalGraph | None:
        """The graph that it is in."""
        return self._top_graph() if self._top_graph is not None else None

    # Arguments

    def _take(self, values: Sequence[Any]) -> None:
        """Add arguments: nodes, and constants among them."""
        for value in values:
            if isinstance(value, (TensorNode, ModuleNode)):
                self.inputs.append(value)
                value.users.append(self)
            elif is_leaf(value) and is_const_leaf(value):
                self.const_val.append((len(self.inputs) + len(self.const_val), value))
            else:
                raise AssertionError(f"{value!r} cannot be an argument in a traced module")

    def unflatten_args(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        """Positional and keyword arguments with other values in the place of the nodes."""
        if self.arg_def is None:
            raise AssertionError(f"{type(self).__name__} has no arguments")
        leaves = list(inputs)
        for position, value in self.const_val:
            leaves.insert(position, value)
        args, kwargs = self.arg_def.unflatten(leaves)
        return args, kwargs

    @property
    def args(self) -> Any:
        """Positional arguments."""
        return self.unflatten_args(self.inputs)[0]

    @property
    def kwargs(self) -> Any:
        """Keyword arguments."""
        return self.unflatten_args(self.inputs)[1]

    def _get_func(self) -> Callable[..., Any]:
        raise NotImplementedError(f"{type(self).__name__} calls no function")

    @property
    def named_args(self) -> dict[str, Any]:
        """The arguments by the names of the function's parameters."""
        bound = inspect.signature(self._get_func()).bind(*self.args, **self.kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    @property
    def _support_set_args_kwargs(self) -> bool:
        return False

    def set_args_kwargs(self, *args: Any, **kwargs: Any) -> None:
        """Give the call other arguments.

        Raises:
            AssertionError: this kind of expression has none.
        """
        if not self._support_set_args_kwargs:
            raise AssertionError(f"the arguments of {type(self).__name__} cannot be set here")
        args, kwargs = convert_kwargs_to_args(self._get_func(), args, kwargs)
        leaves, structure = tree_flatten((args, kwargs))
        for node in self.inputs:
            if self in node.users:
                node.users.remove(self)
        self.inputs, self.const_val = [], []
        self._take(leaves)
        self.arg_def = structure

    def set_arg(self, name: str, val: Any) -> None:
        """Give the call another value of one argument.

        Args:
            name: of the function's parameter.
            val: a node or a constant; for the parameter of further arguments (``*args``), all of them.

        Raises:
            AssertionError: no such parameter.
        """
        signature = inspect.signature(self._get_func())
        bound = signature.bind(*self.args, **self.kwargs)
        parameter = signature.parameters.get(name)
        rest = [p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD]
        if parameter is None and not rest:
            raise AssertionError(f"{self._get_func()} has no argument {name}")
        if parameter is None:
            bound.arguments.setdefault(rest[0], {})[name] = val
        elif parameter.kind is parameter.VAR_POSITIONAL:
            bound.arguments[name] = tuple(val) if isinstance(val, (list, tuple)) else (val,)
        else:
            bound.arguments[name] = val
        self.set_args_kwargs(*bound.args, **bound.kwargs)

    def replace_inputs(self, repl_dict: dict[Node, Node]) -> None:
        """Take other nodes.

        Args:
            repl_dict: from nodes that it takes to those that it shall take; it is emptied.

        Raises:
            AssertionError: it does not take a node, or the other is of another kind or graph, or is made after it.
        """
        while repl_dict:
            node, other = repl_dict.popitem()
            graph = self.top_graph
            if type(node) is not type(other) or node not in self.inputs:
                raise AssertionError(f"{other} cannot replace {node} in {self}")
            if graph is None or other.top_graph is not node.top_graph:
                raise AssertionError(f"{other} and {node} are not in the same graph")
            if other.expr in graph._exprs and graph._exprs.index(other.expr) >= graph._exprs.index(self):
                raise AssertionError(f"{other} must be made before {self}")
            self.inputs[self.inputs.index(node)] = other
            node.users.remove(self)
            other.users.append(self)

    # Results

    @property
    def return_val(self) -> Any:
        """The result, with nodes in it."""
        return self.out_def.unflatten(self.outputs)

    @return_val.setter
    def return_val(self, new_outputs: Any) -> None:
        outputs, structure = tree_flatten(new_outputs, is_leaf=lambda x: isinstance(x, Node))
        if any(node.expr not in (None, self) for node in outputs):
            raise AssertionError(f"some of the nodes are made by other expressions, {self} cannot return them")
        self.outputs, self.out_def = outputs, structure

    def interpret(self, *inputs: Any) -> Any:
        """The values of the outputs for values of the inputs."""
        raise NotImplementedError(f"{type(self).__name__} is not run")

    # Copies and files

    def _fields(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("_id", "_disable_remove", "inputs", "outputs", *names)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__.setdefault("_disable_remove", False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        for name, value in self.__dict__.items():
            if not isinstance(value, ReferenceType):
                made.__dict__[name] = copy.deepcopy(value, memo)
        return made

    def _arguments_text(self, skip: int = 0) -> str:
        """The arguments as in a call, each followed by a comma."""
        named = ", ".join(f"{key}={value}" for key, value in self.kwargs.items())
        return ", ".join([", ".join(str(arg) for arg in self.args[skip:]), named])

    def _results_text(self) -> str:
        outputs: Any = self.outputs
        if self.out_def is not None:
            outputs = self.out_def.unflatten(outputs)
        return f"{outputs} = " if self.outputs else ""
