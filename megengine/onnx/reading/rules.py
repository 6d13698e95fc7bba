"""How a node of an ONNX graph is computed: one rule an operator, found by its name; the files beside this one hold a family each.

Values are tensors, or NumPy arrays: shapes, integers of 64 bits and all that is computed of these alone stay on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph.dtypes import SUPPORTED
from ...tensor import Tensor
from ..package import OnnxError

Value = Any
Rule = Callable[["Node"], Any]
RULES: dict[str, Rule] = {}
# Operands that are needed as numbers: what a graph holds for them is no parameter.
ON_HOST: dict[str, tuple[int, ...]] = {}

_INT32 = np.iinfo(np.int32)
_WIDER = {"float64": "float32", "uint32": "int32", "uint64": "int32"}


def computes(*names: str, host: Sequence[int] = ()) -> Callable[[Rule], Rule]:
    """Declare the decorated function as the rule of operators.

    Args:
        names: the operators.
        host: the operands that it needs as numbers.
    """

    def declare(function: Rule) -> Rule:
        for name in names:
            assert name not in RULES, f"two rules for {name}"
            RULES[name] = function
            ON_HOST[name] = tuple(host)
        return function

    return declare


class Node:
    """One node with its operands, as a rule sees it.

    Attributes:
        kind: the operator.
        attributes: what the node has, by name.
        inputs: its operands; None for one that is left out.
        count: how many results are wanted.
        opset: the version of the operators.
        training: whether the module is in training mode.
        state: what the module keeps for this node, such as running statistics.
        run: computes a graph that is an attribute.
    """

    __slots__ = ("kind", "attributes", "inputs", "count", "opset", "training", "run", "update")

    def __init__(
        self,
        kind: str,
        attributes: dict[str, Any],
        inputs: list[Value],
        count: int,
        opset: int,
        training: bool = False,
        run: Callable[..., list[Value]] | None = None,
        update: Callable[[int, Tensor], None] | None = None,
    ) -> None:
        self.kind = kind
        self.attributes = attributes
        self.inputs = inputs
        self.count = count
        self.opset = opset
        self.training = training
        self.run = run
        self.update = update

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def has(self, k: int) -> bool:
        """Whether an operand is given."""
        return k < len(self.inputs) and self.inputs[k] is not None

    def tensor(self, k: int = 0) -> Tensor:
        """An operand as a tensor."""
        return as_tensor(self.inputs[k])

    def tensors(self) -> list[Tensor]:
        """All operands as tensors."""
        return [as_tensor(v) for v in self.inputs]

    def host(self, k: int = 0) -> np.ndarray:
        """An operand as an array; one that is computed is waited for."""
        return as_array(self.inputs[k])

    def setting(self, k: int, name: str, default: Any = None) -> Any:
        """What newer versions take as an operand and older ones as an attribute, as a list of ints."""
        if self.has(k):
            return [int(n) for n in self.host(k).reshape(-1)]
        return self.get(name, default)

    def number(self, k: int, name: str, default: Any = None) -> Any:
        """The same for one number; None where it is not given."""
        if self.has(k):
            return self.host(k).reshape(-1)[0].item()
        return self.get(name, default)

    def refuse(self, why: str) -> OnnxError:
        """The error that says what is not supported."""
        return OnnxError(f"{self.kind}: {why}")


def as_tensor(value: Value) -> Tensor:
    """A value as a tensor; integers of 64 bits become 32, within their range."""
    if isinstance(value, Tensor):
        return value
    array = np.asarray(value)
    if array.dtype == np.int64:
        return Tensor(np.clip(array, _INT32.min, _INT32.max).astype(np.int32))
    array = array.astype(_WIDER.get(array.dtype.name, array.dtype), copy=False)
    if array.dtype not in SUPPORTED:
        raise OnnxError(f"tensors have no dtype {array.dtype}")
    return Tensor(array, dtype=array.dtype)


def as_array(value: Value) -> np.ndarray:
    """A value as an array."""
    return np.asarray(value.numpy() if isinstance(value, Tensor) else value)


def axis_of(axis: int, rank: int) -> int:
    """An axis that may count from the end."""
    return axis + rank if axis < 0 else axis
