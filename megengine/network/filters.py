"""Nodes of a network by type and name: MegEngine's ``NodeFilter``."""

from __future__ import annotations

import fnmatch
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .nodes import Host2DeviceCopy, ImmutableTensor, OpNode
from .order import operators
from .variables import NetworkNode, VarNode


def as_varnode(obj: Any) -> VarNode:
    """A variable; of an operator its only output, of an iterable its only element.

    Raises:
        AssertionError: there is not one.
    """
    if isinstance(obj, VarNode):
        return obj
    if isinstance(obj, OpNode):
        count = len(obj.outputs)
        assert count == 1, f"operator {obj} must have one output to be converted to VarNode; got {count} actually"
        return obj.outputs[0]
    assert isinstance(obj, Iterable), f"{obj} is not compatible with VarNode"
    found = list(obj)
    assert len(found) == 1, f"can not convert sequence of length {len(found)} to VarNode ({str(found)[:50]})"
    return as_varnode(found[0])


def as_oprnode(obj: Any) -> OpNode:
    """An operator; of a variable the one that gives it, of an iterable its only element.

    Raises:
        AssertionError: there is not one.
    """
    if isinstance(obj, VarNode):
        return obj.owner
    if isinstance(obj, OpNode):
        return obj
    assert isinstance(obj, Iterable), f"{obj} is not compatible with OpNode"
    found = list(obj)
    assert len(found) == 1, f"can not convert sequence of length {len(found)} to OpNode({found})"
    return as_oprnode(found[0])


class NodeFilter:
    """An iterator of nodes; its methods narrow it down.

    Args:
        node_iter: nodes, or a node, of which the operators that it depends on are meant.
    """

    def __init__(self, node_iter: Any) -> None:
        if isinstance(node_iter, VarNode):
            node_iter = [o for o in operators([node_iter]) if o is not node_iter.owner]
        elif isinstance(node_iter, OpNode):
            node_iter = operators(node_iter.inputs)
        self._iter: Iterable[Any] = node_iter

    @classmethod
    def make_all_deps(cls, *dest_vars: VarNode) -> NodeFilter:
        """All operators that variables depend on."""
        return cls(operators(dest_vars))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iter)

    def _where(self, keep: Callable[[Any], bool]) -> NodeFilter:
        return NodeFilter(node for node in self if keep(node))

    def type(self, node_type: type) -> NodeFilter:
        """Those of a class."""
        assert issubclass(node_type, NetworkNode), f"bad opr type: {node_type}"
        return self._where(lambda node: isinstance(node, node_type))

    def not_type(self, node_type: Any) -> NodeFilter:
        """Those that are not of a class."""
        return self._where(lambda node: not isinstance(node, node_type))

    def check_type(self, node_type: Any) -> NodeFilter:
        """The same.

        Raises:
            TypeError: when one comes that is not of a class.
        """

        def checked(node: Any) -> bool:
            if not isinstance(node, node_type):
                raise TypeError(f"all nodes should be {node_type}; got {node!r}")
            return True

        return self._where(checked)

    def param_provider(self) -> NodeFilter:
        """Constants."""
        return self.type(ImmutableTensor)

    def data_provider(self) -> NodeFilter:
        """Inputs."""
        return self.type(Host2DeviceCopy)

    def name(self, pattern: str, ignorecase: bool = True) -> NodeFilter:
        """Those whose name fits a pattern with ``*`` and ``?``."""
        regular = re.compile(fnmatch.translate(pattern), re.IGNORECASE if ignorecase else 0)
        return self._where(lambda node: pattern == node.name or regular.match(node.name) is not None)

    def has_input(self, var: Any) -> NodeFilter:
        """The operators that read a variable."""
        wanted = as_varnode(var)._itself
        return self._where(lambda node: any(wanted is v for v in node.inputs))

    def as_list(self) -> list[Any]:
        """The nodes."""
        return list(self)

    def as_unique(self) -> Any:
        """The only one.

        Raises:
            ValueError: there is none, or several.
        """
        (node,) = self
        return node

    def as_dict(self) -> OrderedDict[str, Any]:
        """The nodes by name."""
        return OrderedDict((node.name, node) for node in self)

    def as_count(self) -> int:
        """How many there are."""
        return sum(1 for _ in self)
