"""The variables of a graph that is edited, under MegEngine's name.

A :class:`VarNode` is a tensor without numbers: what functions and operators make of it is added to its graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..graph.device import Device
from ..graph.value import Aval, Symbol
from ..tensor import Tensor

if TYPE_CHECKING:
    from .nodes import OpNode


class _Building(NamedTuple):
    """How a graph grows: see :mod:`megengine.network.building`."""

    applies: Callable[..., Any]
    as_var: Callable[..., Any]
    evaluated: Callable[..., Any]


_building: _Building


def register_building(applies: Callable[..., Any], as_var: Callable[..., Any], evaluated: Callable[..., Any]) -> None:
    """Say what adds ops and constants to a graph, and evaluates a variable; that module calls it once."""
    global _building
    _building = _Building(applies, as_var, evaluated)


class Graph:
    """Numbers the nodes of one network, operators and variables together, in the order in which they were made."""

    def __init__(self) -> None:
        self._next = 0

    def number(self) -> int:
        """The number of a new node."""
        self._next += 1
        return self._next - 1

    def compile(self, *outputs: Any) -> Graph:
        """The graph itself: values are computed when an output node is asked for one."""
        return self

    def execute(self, *args: Any) -> Graph:
        """See :meth:`compile`."""
        return self

    wait = __call__ = execute


class NetworkNode:
    """An operator or a variable of a network."""


class VarNode(NetworkNode, Tensor):
    """A variable: the result of an operator, an input or a constant.

    Attributes:
        owner: the operator that gives it.
        users: the operators that read it.
        name: its name; without one of its own, one made of its owner's.
    """

    _owner: OpNode
    _index: int
    _id: int
    _given: str
    _users: list[OpNode]

    def __new__(cls, var: VarNode, *, owner_opr: Any = None, name: str | None = None) -> VarNode:
        made = var.alias()
        if name is not None:
            made.name = name
        return made

    def __init__(self, var: VarNode, *, owner_opr: Any = None, name: str | None = None) -> None:
        """Another tensor that holds a variable; MegEngine's arguments."""

    @classmethod
    def of(cls, owner: OpNode, index: int, known: Aval, name: str = "") -> VarNode:
        """The node of an operator's output."""
        value = Symbol(None, known, None, owner.device)
        value.applies = _building.applies
        self = cls._holding(value)
        self._owner = owner
        self._index = index
        self._id = owner.graph.number()
        self._given = name
        self._users = []
        value.node = self
        return self

    @classmethod
    def _holding(cls, value: Any) -> VarNode:
        self: VarNode = object.__new__(cls)
        self._value, self._node, self._slot = value, None, 0
        return self

    @property
    def _itself(self) -> VarNode:
        """The node of what it holds now: ``y += 1`` makes ``y`` another."""
        node: VarNode = self._value.node  # type: ignore[attr-defined]
        return node

    @property
    def owner(self) -> OpNode:
        """The operator that gives it."""
        return self._itself._owner

    @property
    def users(self) -> list[OpNode]:
        """The operators that read it."""
        return self._itself._users

    @property
    def id(self) -> int:
        """Its number in its graph."""
        return self._itself._id

    @property
    def graph(self) -> Graph:
        """What it is part of."""
        return self.owner.graph

    @property
    def name(self) -> str:
        """Its own name, or one made of its owner's."""
        node = self._itself
        return node._given or node._owner.name_of(node._index)

    @name.setter
    def name(self, name: str | None) -> None:
        self._itself._given = name or ""

    @property
    def given_name(self) -> str:
        """The name that it was given, or empty."""
        return self._itself._given

    def _short_text(self) -> str:
        """How names of operators that read it call it."""
        owner = self.owner
        return self.name if self.given_name or not owner.inputs else f"{owner.label}[{owner.id}]"

    @property
    def var(self) -> VarNode:
        """Itself: MegEngine keeps a variable of its own behind each node."""
        return self._itself

    @property
    def comp_node(self) -> Device:
        """Where it lives."""
        return self.device

    @property
    def partial_shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self._value.aval.shape

    @property
    def op(self) -> OpNode:
        """The same as ``owner``."""
        return self.owner

    def numpy(self) -> np.ndarray:
        """The elements of a constant, or of what follows from constants.

        Raises:
            RuntimeError: it depends on an input.
        """
        return _building.evaluated(self._itself)  # type: ignore[no-any-return]

    value = property(numpy)

    def item(self, *args: int) -> Any:
        """The single element of a constant as a Python number."""
        return Tensor(self.numpy()).item(*args)

    def _concrete(self) -> Any:
        return Tensor(self.numpy())._concrete()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._leave()
        super().__setitem__(index, value)

    def _reset(self, other: Any) -> None:
        made = _building.as_var(other, self.graph)
        self._leave()
        super()._reset(made)

    def alias(self) -> VarNode:
        """Another tensor that holds it, which the program may change."""
        return self._holding(self._value)

    def _leave(self) -> None:
        """Stand for the variable no longer in the graph: this tensor is about to hold another."""
        if self._itself is not self:
            return
        stays = self.alias()
        stays.__dict__.update(self.__dict__)
        self._value.node = stays  # type: ignore[attr-defined]
        self._owner.outputs[self._index] = stays
        for reader in self._users:
            reader.inputs = [stays if v is self else v for v in reader.inputs]

    # In place, they would leave the graph's own node with another's value.
    __iadd__: Any = Tensor.__add__
    __isub__: Any = Tensor.__sub__
    __imul__: Any = Tensor.__mul__
    __itruediv__: Any = Tensor.__truediv__
    __ifloordiv__: Any = Tensor.__floordiv__
    __imod__: Any = Tensor.__mod__
    __ipow__: Any = Tensor.__pow__
    __imatmul__: Any = Tensor.__matmul__
    __iand__: Any = Tensor.__and__
    __ior__: Any = Tensor.__or__
    __ixor__: Any = Tensor.__xor__

    def __repr__(self) -> str:
        return f"VarNode:{self.name}"

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        return False
