"""Inputs and outputs of graphs that are built and run by hand."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from .conversion import to_model
from .nodes import Host2DeviceCopy
from .order import operators
from .running import Runnable
from .variables import Graph, VarNode


class InputNode(Host2DeviceCopy):
    """An input that is given a value, from which :class:`OutputNode` computes.

    Example:
        >>> from megengine.core.tensor.megbrain_graph import InputNode, OutputNode
        >>> x = InputNode(dtype="float32", shape=(2,))
        >>> y = OutputNode(x.outputs[0] * 2)
        >>> x.set_value(Tensor([1.0, 2.0]))
        >>> y.get_value()
        Tensor([2. 4.], device=xpux:0)
    """

    def __init__(
        self,
        *args: VarNode,
        device: Any = None,
        dtype: Any = None,
        shape: Any = None,
        graph: Graph | None = None,
        use_static_shape: bool = False,
    ) -> None:
        super().__init__(shape, dtype, None, device, graph)
        self._held: Tensor | None = None

    def set_value(self, value: Any) -> None:
        """Give it a value."""
        self._held = value if isinstance(value, Tensor) else Tensor(value)

    def reset(self) -> None:
        """Take the value away."""
        self._held = None

    def value(self) -> Tensor:
        """The value that it was given.

        Raises:
            RuntimeError: it has none.
        """
        if self._held is None:
            raise RuntimeError(f"{self.name or self.outputs[0].name} has no value yet: call set_value")
        return self._held


class OutputNode:
    """A variable whose value is wanted; it is computed when asked for.

    Args:
        var: the variable.
        args: variables to compute as well, which MegEngine runs before it.
    """

    def __init__(self, var: VarNode, *args: VarNode) -> None:
        self.outputs = [var.var]
        self.graph = var.graph

    def get_value(self) -> Tensor:
        """The value, from those that the inputs have now.

        Raises:
            RuntimeError: an input has none.
        """
        (var,) = self.outputs
        inputs = [n for n in operators([var]) if isinstance(n, Host2DeviceCopy)]
        missing = [n.outputs[0].name for n in inputs if not isinstance(n, InputNode)]
        if missing:
            raise RuntimeError(f"{', '.join(missing)} cannot be given values: replace them by InputNodes")
        values = [n.value() for n in inputs if isinstance(n, InputNode)]
        result: Tensor = Runnable(to_model([var], [n.outputs[0] for n in inputs]))(values)[0]
        return result

    def drop_value(self) -> None:
        """Nothing is kept."""

    reset = drop_value
