"""Convolutions with constant weights in a graph, and the same with other weights."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from ... import functional as F
from ...module import Conv2d
from ...tensor import Parameter, Tensor
from ..expr import GetAttr, is_call_function, is_call_module
from ..utils import assign_attr

__all__ = ["Convolution"]


class Convolution:
    """A call of :func:`~megengine.functional.nn.conv2d` or :class:`~megengine.module.Conv2d`.

    Attributes:
        expr: the call.
        weight: its array.
        bias: its array, or None.
    """

    def __init__(self, expr: Any, weight: Tensor, bias: Tensor | None) -> None:
        self.expr = expr
        self.weight = weight.numpy()
        self.bias = None if bias is None else bias.numpy()

    @classmethod
    def of(cls, expr: Any, constants: dict[Any, Any]) -> Self | None:
        """The convolution that an expression is; None for others."""
        if is_call_module(expr) and type(expr.inputs[0].owner) is Conv2d and isinstance(expr.inputs[0].expr, GetAttr):
            owner = expr.inputs[0].owner
            return cls(expr, owner.weight, owner.bias)
        if not is_call_function(expr, F.conv2d):
            return None
        weight, bias = expr.named_args["weight"], expr.named_args["bias"]
        if weight not in constants or not (bias is None or bias in constants):
            return None
        return cls(expr, constants[weight], constants.get(bias))

    @property
    def channels(self) -> int:
        """How many channels its results have."""
        return int(np.prod(self.weight.shape[:-3]))

    def scaled(self, factor: np.ndarray | float, shift: np.ndarray | float = 0.0) -> Any:
        """Put ``conv(x) * factor + shift`` in the place of ``conv(x)``.

        Args:
            factor: of each channel, or of all.
            shift: likewise.

        Returns:
            The node of the result.
        """
        factor = np.broadcast_to(np.asarray(factor, "float32").reshape(-1), (self.channels,))
        weight = (self.weight.reshape(self.channels, -1) * factor[:, None]).reshape(self.weight.shape)
        before = 0.0 if self.bias is None else self.bias.reshape(-1)
        bias = (before * factor + np.asarray(shift, "float32").reshape(-1)).reshape(1, self.channels, 1, 1)
        kept = self.bias is not None or bool(bias.any())
        return self._rewritten(weight, bias.astype("float32") if kept else None)

    def _rewritten(self, weight: np.ndarray, bias: np.ndarray | None) -> Any:
        graph, out = self.expr.top_graph, self.expr.outputs[0]
        if is_call_module(self.expr):
            self._other_module(weight, bias)
            return out
        arguments = {**self.expr.named_args, "weight": Tensor(weight), "bias": None if bias is None else Tensor(bias)}
        with graph.insert_exprs():
            made = F.conv2d(**arguments)  # by its name, which insertion records
        graph.replace_node({out: made})
        return made

    def _other_module(self, weight: np.ndarray, bias: np.ndarray | None) -> None:
        """A layer of its own, in the place of the old one where nothing else uses that."""
        node = self.expr.inputs[0]
        attribute, holder = node.expr, node.expr.inputs[0]
        module = copy.deepcopy(node.owner)
        module.weight = Parameter(weight)
        module.bias = None if bias is None else Parameter(bias)
        path = attribute.name
        if len(node.users) > 1:
            path = self._free_path(holder.owner, path)
            other = GetAttr(holder, type(node), path)
            graph = self.expr.top_graph
            graph._namespace.auto_naming_for_outputs(other)
            graph._exprs.insert(graph._exprs.index(self.expr), other)
            other.outputs[0].module_type = node.module_type
            node.users.remove(self.expr)
            self.expr.inputs[0] = other.outputs[0]
            other.outputs[0].users.append(self.expr)
        module._short_name = module._name = None
        assign_attr(module, holder.owner, path)
        _top(self.expr.top_graph).inputs[0].owner._update_ref()

    def _free_path(self, holder: Any, path: str) -> str:
        names = {name for name, _ in holder.named_modules()}
        number = 1
        while f"{path}_{number}" in names:
            number += 1
        return f"{path}_{number}"


def _top(graph: Any) -> Any:
    while graph.top_graph is not None:
        graph = graph.top_graph
    return graph
