"""A model at a glance: its layers in the order of their calls, with the shapes that they give and their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from .. import graph
from .._support.tables import text_table
from ..functional import zeros
from ..tensor import Parameter, Tensor
from .access import set_module_mode_safe

if TYPE_CHECKING:
    from .module import Module


def summary(module: Module, *inputs: Any, **kwargs: Any) -> str:
    """Call a module once, in evaluation mode, and describe its layers; nothing is computed but shapes.

    Args:
        module: the module.
        inputs: its arguments; a tuple of ints stands for a float32 tensor of that shape.
        kwargs: its keyword arguments.

    Returns:
        A table with a line for each call: the layer's name, indented as deep as it lies, its class, the shape of its output, and
        how many parameters of its own it has, where they have not been counted before; layers that are not called come last.

    Example:
        >>> print(summary(M.Sequential(M.Linear(4, 8), M.ReLU(), M.Linear(8, 2)), (5, 4)))
        layer       type        output  parameters
        ----------  ----------  ------  ----------
        Sequential  Sequential  (5, 2)
          0         Linear      (5, 8)          40
          1         ReLU        (5, 8)
          2         Linear      (5, 2)          18
        58 parameters, 232 bytes
    """
    names = {id(part): name for name, part in module.named_modules()}
    rows: list[list[Any]] = []
    counted: set[int] = set()
    open_rows: list[list[Any]] = []

    def enter(part: Module, _: Any) -> None:
        row = _row(part, names[id(part)], len(open_rows), counted)
        rows.append(row)
        open_rows.append(row)

    def leave(_: Module, __: Any, outputs: Any) -> None:
        open_rows.pop()[2] = _shapes(outputs)

    arguments = [zeros(x) if _is_shape(x) else x for x in inputs]
    hooks = [part.register_forward_pre_hook(enter) for part in module.modules()]
    hooks += [part.register_forward_hook(leave) for part in module.modules()]
    try:
        with set_module_mode_safe(module, training=False):
            module(*arguments, **kwargs)
    finally:
        for hook in hooks:
            hook.remove()
    arguments.clear()
    graph.flush("option")  # what the call recorded and nobody reads
    rows += [row for name, part in module.named_modules() if (row := _row(part, name, 1, counted))[3]]
    tensors = {id(p): p for p in module.parameters()}.values()
    count = sum(prod(p.shape) for p in tensors)
    size = sum(prod(p.shape) * p.dtype.itemsize for p in tensors)
    table = text_table(["layer", "type", "output", "parameters"], rows)
    return f"{table}\n{count:,} parameters, {size:,} bytes"


def _row(part: Module, name: str, depth: int, counted: set[int]) -> list[Any]:
    kind = type(part).__name__
    return ["  " * depth + (name.rpartition(".")[2] or kind), kind, "", _own_parameters(part, counted) or ""]


def _own_parameters(part: Module, counted: set[int]) -> int:
    own: dict[int, Parameter] = {id(p): p for p in part.parameters(recursive=False) if id(p) not in counted}
    counted.update(own)
    return sum(prod(p.shape) for p in own.values())


def _is_shape(x: Any) -> bool:
    return isinstance(x, tuple) and bool(x) and all(type(n) is int for n in x)


def _shapes(outputs: Any) -> str:
    """The shapes of the tensors that a module returned, in the structure that they came in."""
    if isinstance(outputs, Tensor):
        return str(tuple(outputs.shape))
    if isinstance(outputs, Mapping):
        return "{" + ", ".join(f"{key}: {_shapes(value)}" for key, value in outputs.items()) + "}"
    if isinstance(outputs, (list, tuple)):
        return "[" + ", ".join(map(_shapes, outputs)) + "]"
    return "-" if outputs is None else type(outputs).__name__
