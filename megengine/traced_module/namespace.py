"""The names of a graph's nodes."""

from __future__ import annotations

import builtins
import keyword
import re
from typing import Any, ClassVar

from .expr import get_suffix_name, is_apply_def, is_call_function, is_call_module, is_call_tensor_method, is_getattr

__all__ = ["NameSpace"]

_RESERVED = frozenset([*dir(builtins), *keyword.kwlist, "inf", "nan", "NoneType"])


class NameSpace:
    """The names that are used in a graph, and by which node.

    Args:
        name: of the graph.
        qualname: the path of its module.
    """

    _harmless: ClassVar[bool] = True

    def __init__(self, name: str, qualname: str) -> None:
        self.name = name
        self.qualname = qualname
        self._used_names: dict[str, Any] = {}

    @property
    def used_names(self) -> dict[str, Any]:
        """The node, or graph, by name; None where a name is kept without one."""
        return self._used_names

    def create_unique_name(self, name: str, node: Any = None) -> str:
        """A name that is an identifier and not used yet, made from another; it is used from then on.

        Args:
            name: what it shall be like.
            node: what has it.

        Example:
            >>> from megengine.traced_module.traced_module import NameSpace
            >>> names = NameSpace("net", "net")
            >>> names.create_unique_name("0.conv", "a"), names.create_unique_name("_0_conv", "b")
            ('_0_conv', '_0_conv_1')
        """
        if node is not None and self._used_names.get(name) is node:
            return name
        name = re.sub("[^0-9a-zA-Z_]+", "_", name)
        if name[:1].isdigit():
            name = f"_{name}"
        while self._used_names.get(name) is not None or name in _RESERVED:
            numbered = re.match(r"(.*)_(\d+)$", name)
            name = f"{numbered[1]}_{int(numbered[2]) + 1}" if numbered else f"{name}_1"
        self._used_names.setdefault(name)
        if node is not None:
            self.associate_name_with_obj(name, node)
        return name

    def associate_name_with_obj(self, name: str, node: Any) -> None:
        """Say which node has a name.

        Raises:
            AssertionError: another one has it.
        """
        if self._used_names.get(name, node) is not None:
            raise AssertionError(f"the name {name} is already in use, or was not made here")
        self._used_names[name] = node

    def unassociate_name_with_obj(self, node: Any) -> None:
        """Let the name of a node be used again."""
        self._used_names[node.name] = None

    def merge(self, other: NameSpace) -> None:
        """Take over the names of another."""
        self._used_names.update(other._used_names)

    def _called(self, expr: Any) -> tuple[str, str]:
        """What the outputs of an expression are called, and their qualified name."""
        if is_call_module(expr):
            return f"{expr.inputs[0].name}_out", f"{expr.inputs[0].qualname}.[out]"
        if is_getattr(expr):
            qualname = f"{expr.inputs[0].qualname}.{expr.name}"
            return get_suffix_name(self.qualname, qualname) or expr.name, qualname
        for test, kind, of in (
            (is_call_tensor_method, "method", lambda: expr.method.strip("_")),
            (is_call_function, "func", lambda: expr.func.__name__),
            (is_apply_def, "def", lambda: str(expr.opdef).lower()),
        ):
            if test(expr):
                called = of()
                return f"{called}_out", f"{self.qualname}.[{self.create_unique_name(f'{kind}_{called}')}]"
        name = expr.name or f"const_{type(expr.value).__name__.lower()}"
        return name, f"{self.qualname}.[{name}]"

    def auto_naming_for_outputs(self, expr: Any) -> None:
        """Give the outputs of an expression names, where they have none."""
        name, qualname = self._called(expr)
        for node in expr.outputs:
            node._name = self.create_unique_name(node._name or name, node)
            node._qualname = node._qualname or qualname


NameSpace.__module__ = "megengine.traced_module.traced_module"  # its name in files
