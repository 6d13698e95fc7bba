"""The operators of a graph that is edited, under MegEngine's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.device import Device, resolve
from ..graph.host_data import to_array
from ..graph.infer import infer
from ..graph.scalars import kind_of
from ..graph.value import Aval, aval
from ..ops.op import Op
from ..ops.promote import SCALAR_DTYPE
from ..tensor import Tensor
from .kinds import MODES
from .resizing import resized
from .variables import Graph, NetworkNode, VarNode


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


def spec_of(var: VarNode) -> Aval | str:
    """What an op sees of an operand: its shape and dtype, or the kind of a Python number."""
    owner = var.owner
    if isinstance(owner, ConstOpBase) and owner.is_number:
        return kind_of(owner.data) or "f"
    return var._value.aval
