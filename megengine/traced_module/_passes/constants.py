"""Which nodes of a graph have values that do not depend on its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...functional import add, div, mul, neg, sub
from ...functional.nn import dropout
from ...tensor import Tensor
from ..expr import Apply, CallFunction, CallMethod, Constant, GetAttr
from ..node import ModuleNode, TensorNode

__all__ = ["Affine", "affine", "constants_of"]


def constants_of(graph: Any) -> dict[Any, Any]:
    """The values of the nodes that are attributes, constants, or computed of those alone."""
    found: dict[Any, Any] = {}
    values: list[Any]
    for expr in graph._exprs:
        values = [found.get(node) for node in expr.inputs]
        if isinstance(expr, (GetAttr, Constant)):
            if isinstance(expr.outputs[0], TensorNode):
                found[expr.outputs[0]] = expr.interpret(*[node.owner for node in expr.inputs])[0]
        elif isinstance(expr, (CallFunction, CallMethod, Apply)) and _folds(expr, values):
            made = expr.interpret(*[Tensor(value.detach()) for value in values])
            found.update(zip(expr.outputs, made, strict=True))
    return found


def _folds(expr: Any, values: list[Any]) -> bool:
    if not values or any(value is None for value in values) or getattr(expr, "func", None) is dropout:
        return False
    return not any(isinstance(node, ModuleNode) for node in expr.inputs)


class Affine:
    """``node * scale + shift``.

    Attributes:
        node: what varies.
        scale: a number.
        shift: a number.
    """

    def __init__(self, node: Any, scale: float = 1.0, shift: float = 0.0) -> None:
        self.node, self.scale, self.shift = node, scale, shift


_FUNCTIONS = {add: "add", sub: "sub", mul: "mul", div: "truediv", neg: "neg"}


def affine(expr: Any, constants: dict[Any, Any]) -> Affine | None:
    """An expression that adds, or multiplies with, one number; None for others, and for constants."""
    kind = _FUNCTIONS.get(expr.func) if isinstance(expr, CallFunction) else None
    if isinstance(expr, CallMethod) and isinstance(expr.inputs[0], TensorNode):
        kind = expr.method.strip("_")
    if kind is None or len(expr.outputs) != 1 or expr.outputs[0] in constants:
        return None
    args = [_number(arg, constants) for arg in expr.args]
    nodes = [arg for arg in args if isinstance(arg, TensorNode)]
    if kind == "neg" and len(nodes) == len(args) == 1:
        return Affine(nodes[0], -1.0)
    if len(args) != 2 or len(nodes) != 1 or not any(isinstance(arg, float) for arg in args):
        return None
    if not _is_float(nodes[0]):
        return None
    if kind[:1] in "ri" and kind[1:] in _KINDS:
        kind, args = kind[1:], args[::-1] if kind[0] == "r" else args
    return _of(kind, args, nodes[0])


_KINDS = {"add", "sub", "mul", "truediv"}


def _of(kind: str, args: list[Any], node: Any) -> Affine | None:
    first = args[0] is node
    number = args[1] if first else args[0]
    if kind == "add":
        return Affine(node, 1.0, number)
    if kind == "sub":
        return Affine(node, 1.0, -number) if first else Affine(node, -1.0, number)
    if kind == "mul":
        return Affine(node, number)
    if kind == "truediv" and first and number:
        return Affine(node, 1.0 / number)
    return None


def _is_float(node: Any) -> bool:
    return node._dtype is not None and np.dtype(node._dtype).kind == "f"


def _number(arg: Any, constants: dict[Any, Any]) -> Any:
    """A float for a number or a constant of one element; otherwise what it is."""
    value = constants.get(arg) if isinstance(arg, TensorNode) else arg
    if isinstance(value, Tensor):
        return float(value.numpy().item()) if value._tuple_shape in ((), (1,)) else value
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    return arg
