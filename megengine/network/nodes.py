"""The nodes of a graph that is edited: operators, and the variables between them, under MegEngine's names.

A :class:`VarNode` is a tensor without numbers: what functions and operators make of it is added to its graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.device import Device, resolve
from ..graph.host_data import to_array
from ..graph.infer import infer
from ..graph.scalars import kind_of
from ..graph.value import Aval, Handle, Symbol, aval
from ..ops.op import Op
from ..ops.promote import SCALAR_DTYPE
from ..tensor import Tensor
from .kinds import CLASSES, MODES, OTHERS, TYPES, type_of
from .order import operators
from .resizing import resized


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
        value.applies = apply_symbolically
        self = cls._holding(value)
        self._owner = owner
        self._index = index
        self._id = owner.graph.number()
        self._given = name
        self._users: list[OpNode] = []
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
        return _evaluated(self._itself)

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
        made = as_var(other, self.graph)
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


class OpNode(NetworkNode):
    """An operator.

    Attributes:
        type: MegEngine's name of its kind.
        inputs, outputs: variables.
        op, attributes: the op of the table and what it is bound to; None for inputs and constants.
        priority: operators of less come first where the order is free.
    """

    type = ""
    op: Op | None = None

    def __init__(self, graph: Graph | None = None, name: str = "") -> None:
        self.graph = graph or Graph()
        self.id = self.graph.number()
        self.inputs: list[VarNode] = []
        self.outputs: list[VarNode] = []
        self.attributes: dict[str, Any] = {}
        self.priority = 0
        self._compiled_for: Aval | None = None
        self.scope: tuple[str, ...] = ()
        self.source = ""
        self._name = name

    @property
    def device(self) -> Device:
        """Where it runs."""
        return resolve(None)

    @property
    def name(self) -> str:
        """Its name; without one of its own, what it computes and from what."""
        if self._name:
            return self._name
        operands = ",".join(v._short_text() for v in self.inputs)
        return f"{self.label}({operands})[{self.id}]"

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = name or ""

    @property
    def given_name(self) -> str:
        """The name that it was given, or empty."""
        return self._name

    @property
    def label(self) -> str:
        """The mode of an element-wise one, else the type."""
        return self.type if self.op is None else MODES.get(self.op.name, self.type)

    @property
    def params(self) -> dict[str, Any]:
        """What it is bound to, by name."""
        mode = MODES.get(self.op.name) if self.op is not None else None
        return self.attributes if mode is None else {"mode": mode, **self.attributes}

    def name_of(self, index: int) -> str:
        """The name of an output that has none of its own."""
        return self.name if len(self.outputs) < 2 else f"{self.name}:{index}"

    def read(self, inputs: Sequence[VarNode]) -> None:
        """Read these variables instead."""
        for var in self.inputs:
            if self in var.users:
                var.users.remove(self)
        self.inputs = [v._itself for v in inputs]
        for var in self.inputs:
            if self not in var.users:
                var.users.append(self)

    def compile(self) -> None:
        """Find the shapes and dtypes of its outputs.

        Raises:
            RuntimeError: it does not take those of its inputs.
        """
        assert self.op is not None
        first = self.inputs[0]._value.aval if self.inputs else None
        if self._compiled_for is not None and first is not None:
            self.attributes = resized(self.op, self.attributes, self._compiled_for, first)
        self._compiled_for = first
        signature = infer(self.op, self.op.in_order(self.attributes), tuple(map(spec_of, self.inputs)))
        for k, known in enumerate(signature.avals):
            if k == len(self.outputs):
                self.outputs.append(VarNode.of(self, k, known))
            self.outputs[k]._value.aval = known

    def __repr__(self) -> str:
        return f"{self.name}{{{self.type}}}"


class Host2DeviceCopy(OpNode):
    """An input."""

    type = "Host2DeviceCopy"

    def __init__(
        self,
        shape: Any = None,
        dtype: Any = None,
        name: str | None = None,
        device: Any = None,
        graph: Graph | None = None,
    ) -> None:
        super().__init__(graph, name or "")
        known = aval(tuple(shape or ()), np.dtype(np.float32 if dtype is None else dtype))
        self.outputs = [VarNode.of(self, 0, known, name or "")]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what it is to be given."""
        return self.outputs[0].partial_shape

    @shape.setter
    def shape(self, shape: Sequence[int]) -> None:
        value = self.outputs[0]._value
        value.aval = aval(tuple(shape), value.aval.dtype, value.aval.format)

    @property
    def dtype(self) -> np.dtype:
        """Of what it is to be given."""
        return self.outputs[0].dtype

    @property
    def name(self) -> str:
        """The name of its variable."""
        return self.outputs[0]._given if self.outputs else self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self.outputs[0]._given = name or ""

    def name_of(self, index: int) -> str:
        """An input's variable is called as it is."""
        return f"input[{self.id}]"

    def compile(self) -> None:
        """Its shape and dtype are what they were set to."""


class ConstOpBase(OpNode):
    """A constant.

    Attributes:
        data: its value: an array, or a Python number, which takes the dtype of what it meets.
    """

    def __init__(
        self, data: Any = None, name: str | None = None, device: Any = None, graph: Graph | None = None
    ) -> None:
        super().__init__(graph, name or "")
        self.data: Any = 0.0
        self.outputs = [VarNode.of(self, 0, aval((), np.dtype(np.float32)), name or "")]
        if data is not None:
            self.set_value(data)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its value."""
        return self.outputs[0].partial_shape

    @property
    def dtype(self) -> np.dtype:
        """Of its value."""
        return self.outputs[0].dtype

    @property
    def name(self) -> str:
        """The name of its variable."""
        return self.outputs[0].name if self.outputs else self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self.outputs[0]._given = name or ""

    def name_of(self, index: int) -> str:
        """A constant without a name is called by what it holds."""
        held = self.data if self.is_number or np.size(self.data) == 1 else "x".join(map(str, self.shape))
        return f"const<{held}>[{self.id}]"

    @property
    def is_number(self) -> bool:
        """Whether it is a Python number."""
        return kind_of(self.data) is not None

    def numpy(self) -> np.ndarray:
        """A copy of its value."""
        known = self.dtype
        array = np.array(self.data, known)
        return array if known.metadata is None else array.view(known)

    def set_value(self, data: Any, device: Any = None) -> None:
        """Give it another value: a number, an array, or nested lists."""
        kind = kind_of(data)
        if kind is not None:
            self.data = data
            known = aval((), SCALAR_DTYPE[kind])
        else:
            self.data = data.numpy() if isinstance(data, Tensor) else to_array(data)
            known = aval(self.data.shape, self.data.dtype)
        self.outputs[0]._value.aval = known

    def hold(self, array: np.ndarray, known: Aval) -> None:
        """Give it an array of this shape and dtype, as it is."""
        self.data = array
        self.outputs[0]._value.aval = known

    def compile(self) -> None:
        """Its shape and dtype are those of its value."""


class ImmutableTensor(ConstOpBase):
    """A constant."""

    type = "ImmutableTensor"


class SharedDeviceTensor(ConstOpBase):
    """A constant; MegEngine keeps it on the device."""

    type = "SharedDeviceTensor"


class ReadOnlyOpNode(OpNode):
    """An operator that MegEngine has no class for."""


class GradientOpNode(ReadOnlyOpNode):
    """The vector-Jacobian product of another operator.

    Attributes:
        of: that operator; its inputs come first among these inputs, then the cotangents that are not zero.
        linearised, wrt: see :class:`megengine.graph.ir.VjpEquation`.
        given: which cotangents are not zero.
    """

    type = "Gradient"

    def __init__(self, of: OpNode, linearised: tuple[int, ...], wrt: tuple[int, ...], given: tuple[bool, ...]) -> None:
        super().__init__(of.graph)
        self.of = of
        self.linearised = linearised
        self.wrt = wrt
        self.given = given

    def compile(self) -> None:
        """A cotangent is as the operand that it belongs to."""
        for k, operand in enumerate(self.wrt):
            known = self.of.inputs[operand]._value.aval
            if k == len(self.outputs):
                self.outputs.append(VarNode.of(self, k, known))
            self.outputs[k]._value.aval = known


def _classes() -> dict[str, type[OpNode]]:
    """A class for each type, by the type, as MegEngine names them."""
    kinds = sorted({*TYPES.values(), *OTHERS})
    made: dict[str, type[OpNode]] = {}
    for kind in kinds:
        name = CLASSES.get(kind, kind)
        base = made.get(name) or type(name, (OpNode,), {"type": kind, "__doc__": f"MegEngine's ``{kind}``."})
        made[name] = made[kind] = base
    return made


BY_TYPE = _classes()


def node_of(op: Op, attributes: dict[str, Any], inputs: Sequence[VarNode], graph: Graph) -> OpNode:
    """A new operator; its outputs are inferred."""
    kind = type_of(op.name)
    node = BY_TYPE.get(kind, ReadOnlyOpNode)(graph)
    node.op, node.type, node.attributes = op, kind, attributes
    node.read(inputs)
    node.compile()
    return node


def spec_of(var: VarNode) -> Aval | str:
    """What an op sees of an operand: its shape and dtype, or the kind of a Python number."""
    owner = var.owner
    if isinstance(owner, ConstOpBase) and owner.is_number:
        return kind_of(owner.data) or "f"
    return var._value.aval


def apply_symbolically(op: Op, operands: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Add an op to the graph of the first symbolic operand; others become constants of it."""
    first = next(x for x in operands if isinstance(x, Handle) and isinstance(x._value, Symbol))
    graph: Graph = first._value.node.graph  # type: ignore[attr-defined]
    inputs = [as_var(x, graph) for x in operands]
    attributes = op.named(op.in_order(named))
    node = node_of(op, attributes, inputs, graph)
    multi = infer(op, op.in_order(named), tuple(map(spec_of, node.inputs))).multi
    results = tuple(v.alias() for v in node.outputs)
    return results if multi else results[0]


def as_var(x: Any, graph: Graph) -> VarNode:
    """A variable as it is; a tensor, an array or a number as a constant of the graph."""
    if isinstance(x, VarNode):
        return x._itself
    return ImmutableTensor(x, graph=graph).outputs[0]


def _evaluated(var: VarNode) -> np.ndarray:
    if isinstance(var.owner, ConstOpBase):
        return var.owner.numpy()
    env: dict[VarNode, Any] = {}
    for node in operators([var]):
        if isinstance(node, ConstOpBase):
            env[node.outputs[0]] = node.data if node.is_number else Tensor(node.numpy(), dtype=node.dtype)
        elif node.op is None:
            raise RuntimeError(f"{var.name} has no value: it depends on {node.name} of its graph")
        else:
            made = apply(node.op, *(env[v] for v in node.inputs), **node.attributes)
            env.update(zip(node.outputs, made if isinstance(made, tuple) else (made,), strict=True))
    return env[var].numpy()  # type: ignore[no-any-return]
