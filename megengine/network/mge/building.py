"""From the operators of a MegEngine file to the nodes of a graph: each is given to the rule for its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ... import functional as F
from ...graph.exchange import GraphFileError
from ...graph.value import aval
from ...ops.quantized import is_quantized, key_of
from ...tensor import Tensor
from ..nodes import Host2DeviceCopy, ImmutableTensor
from ..variables import Graph, VarNode
from .container import Container, Operator
from .dtypes import FileDtype

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}
SMALL = 64  # elements of constants that may be sizes


class ABSENT:
    """A result of an operator that only its gradient reads."""


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Declare what makes nodes of operators of these kinds.

    It is called with the :class:`Builder`, the operator and its operands: variables, or an array where the numbers are
    known, as sizes are. It returns one result or a tuple of them.
    """

    def declare(make: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, make))
        return make

    return declare


class Builder:
    """A graph that is made of a file.

    Attributes:
        graph: it.
        inputs: its inputs.
        values: what each of the file's variables is.
    """

    def __init__(self) -> None:
        self.graph = Graph()
        self.inputs: list[VarNode] = []
        self.values: list[Any] = []
        self.names: list[str] = []  # theirs, as far as the file keeps them
        self._open: set[VarNode] = set()  # their sizes depend on numbers
        self._likely: dict[VarNode, np.ndarray] = {}  # sizes computed from theirs, for the largest that they can be

    def add(self, op: Operator) -> None:
        """Add an operator.

        Raises:
            GraphFileError: there is no rule for it, it is one that this package computes otherwise, or its operands do not fit.
        """
        make = RULES.get(op.kind)
        if make is None:
            raise GraphFileError(f"{op} is an operator that megengine-xla does not read from MegEngine's files")
        operands = [self._operand(op, k) for k in op.inputs]
        try:
            made = _results(make(self, op, *operands))
            likely = self._likely_results(make, op, operands)
        except (RuntimeError, ValueError, TypeError, AssertionError, IndexError, AttributeError) as error:
            if isinstance(error, GraphFileError):
                raise
            raise GraphFileError(f"{op} cannot be read: {error}") from error
        if op.outputs and len(op.outputs) != len(made):
            raise GraphFileError(f"{op} has {len(op.outputs)} results in the file, and {len(made)} here")
        unknown = any(isinstance(x, VarNode) and x.var in self._open for x in operands)
        for k, value in enumerate(made):
            self._keep(op, k, value, unknown, likely)

    def _keep(self, op: Operator, k: int, value: Any, unknown: bool, likely: list[Any] | None) -> None:
        if value is not ABSENT and not value.ndim:  # MegEngine's graphs have no scalars but vectors of one
            value = value.reshape(1)
        if isinstance(value, VarNode):
            if op.dtype.name and not _alike(value.dtype, op.dtype.dtype):
                value = value.astype(op.dtype.dtype)
            if unknown and likely is None:
                self._open.add(value.var)
            if likely is not None:
                self._likely[value.var] = np.atleast_1d(likely[k])
            self._name(op, k, value)
        elif isinstance(value, Tensor):
            value = value.numpy()
            if value.size > SMALL:
                value = self.constant(value, op.names[k] if op.names else "")
        self.values.append(value)
        self.names.append(op.names[k] if op.names else "")

    def _name(self, op: Operator, k: int, value: VarNode) -> None:
        if op.names and not value.given_name:
            value.name = op.names[k]
        if op.name and not value.owner.given_name and not isinstance(value.owner, (ImmutableTensor, Host2DeviceCopy)):
            value.owner.name = op.name

    def _operand(self, op: Operator, k: int) -> Any:
        if k >= len(self.values):
            raise GraphFileError(f"{op} reads variable {k} before it is computed")
        if self.values[k] is ABSENT:
            raise GraphFileError(f"{op} reads a result of another operator that is there for gradients alone")
        return self.values[k]

    def _likely_results(self, make: Rule, op: Operator, operands: list[Any]) -> list[Any] | None:
        """What an operator on sizes gives for the largest sizes; None if it is on something else."""
        if op.kind == "GetVarShape" and self.has_open_size(operands[0]):
            return [np.array(operands[0].shape, np.int32)]
        if not any(isinstance(x, VarNode) and x.var in self._likely for x in operands):
            return None
        numbers = [self.likely(x) for x in operands]
        if any(x is None for x in numbers):
            return None
        return [r.numpy() if isinstance(r, Tensor) else r for r in _results(make(self, op, *numbers))]

    def likely(self, x: Any) -> np.ndarray | None:
        """The numbers of sizes that are not known before the graph runs, for the largest that they can be."""
        return x if isinstance(x, np.ndarray) else self._likely.get(x.var)

    def has_open_size(self, x: Any) -> bool:
        """Whether a variable's size depends on numbers."""
        return isinstance(x, VarNode) and x.var in self._open

    def opened(self, x: Any) -> Any:
        """Note that a variable's size depends on numbers."""
        if isinstance(x, VarNode):
            self._open.add(x.var)
        return x

    def constant(self, array: np.ndarray, name: str = "") -> VarNode:
        """A new constant."""
        made = ImmutableTensor(None, name, graph=self.graph)
        made.hold(array, aval(array.shape, array.dtype))
        return made.outputs[0]

    def input(self, name: str, shape: tuple[int, ...], dtype: FileDtype) -> VarNode:
        """A new input."""
        var = Host2DeviceCopy(shape, dtype.dtype, name, graph=self.graph).outputs[0]
        self.inputs.append(var)
        return var

    def outputs(self, container: Container) -> list[VarNode]:
        """The variables that the file returns, each once and none an input or a constant."""
        found: dict[VarNode, None] = {}
        for number, alias in container.outputs:
            if number >= len(self.values) or self.values[number] is ABSENT:
                raise GraphFileError(f"the file returns variable {number}, which nothing computes")
            value = self.values[number]
            var: Any = value if isinstance(value, VarNode) else self.constant(value)
            if var.var in found or isinstance(var.owner, (ImmutableTensor, Host2DeviceCopy)):
                var = F.copy(var)
            var.name = alias or self.names[number] or f"unnamed{len(found)}"
            found[var.var] = None
        return list(found)


def _alike(first: np.dtype, second: np.dtype) -> bool:
    """Whether two dtypes are the same, scales included, which NumPy does not look at."""
    one, other = (key_of(dtype) if is_quantized(dtype) else dtype for dtype in (first, second))
    return one == other


def _results(made: Any) -> list[Any]:
    return list(made) if isinstance(made, (tuple, list)) else [made]


def tensor(x: Any) -> Any:
    """An operand as a tensor."""
    return Tensor(x) if isinstance(x, np.ndarray) else x


def known(op: Operator, x: Any, what: str) -> list[int]:
    """Numbers that have to be known before the graph runs.

    Raises:
        GraphFileError: they depend on an input's numbers.
    """
    if not isinstance(x, np.ndarray):
        raise GraphFileError(
            f"{op} has {what} that depends on numbers of the inputs, which megengine-xla does not read"
        )
    return [int(n) for n in x.reshape(-1)]


def number(op: Operator, x: Any, what: str) -> int:
    """One such number."""
    (found,) = known(op, x, what)
    return found


def required(op: Operator, what: str, value: Any, allowed: Iterable[Any]) -> Any:
    """A setting that has to be one of those that are read.

    Raises:
        GraphFileError: it is another.
    """
    if value not in (offered := tuple(allowed)):
        raise GraphFileError(f"{op} has {what} {value}, of which megengine-xla reads {', '.join(map(str, offered))}")
    return value
