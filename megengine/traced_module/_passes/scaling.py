"""Multiplications with numbers moved backward into the weights of convolutions."""

from __future__ import annotations

from typing import Any

from ... import functional as F
from ... import module as M
from ..expr import CallFunction, CallMethod, is_call_module
from ..node import TensorNode
from .constants import Affine, affine, constants_of
from .convolutions import Convolution
from .fusing import shifted

__all__ = ["backward_fold_scale"]

# What multiplied inputs give multiplied results; the first ones for positive factors only.
_FOR_POSITIVE = (F.relu, F.leaky_relu, F.max_pool2d, F.adaptive_max_pool2d, F.max, F.min, "max", "min")
_ALWAYS = (
    F.reshape, F.transpose, F.avg_pool2d, F.adaptive_avg_pool2d, F.expand_dims, F.squeeze, F.flatten, F.concat,
    "reshape", "transpose", "flatten", "__getitem__",
)  # fmt: skip
_LAYERS_FOR_POSITIVE = (M.ReLU, M.LeakyReLU, M.MaxPool2d, M.AdaptiveMaxPool2d)
_LAYERS = (M.AvgPool2d, M.AdaptiveAvgPool2d, M.Identity)
_SUMS = (F.add, "__add__", "__radd__")
Demand = tuple[float, frozenset[int]]  # a factor, and the multiplications that it comes from


class _Blocked(Exception):
    """Some multiplications cannot be moved."""

    def __init__(self, sources: frozenset[int]) -> None:
        super().__init__()
        self.sources = sources


def backward_fold_scale(graph: Any) -> None:
    """Move what can be moved."""
    constants = constants_of(graph)
    blocked: frozenset[int] = frozenset()
    while True:
        try:
            demands = _demands(graph, constants, blocked)
            break
        except _Blocked as found:
            blocked |= found.sources
    exprs = [expr for expr in graph._exprs if len(expr.outputs) == 1 and expr.outputs[0] not in constants]
    for expr in exprs:
        factor = demands.get(expr.outputs[0], (1.0, frozenset()))[0]
        form, conv = affine(expr, constants), Convolution.of(expr, constants)
        if form is not None and id(expr) not in blocked and form.scale != 1:
            other = shifted(graph, Affine(expr.inputs[_place(expr, form)], 1.0, form.shift * factor))
            graph.replace_node({expr.outputs[0]: other})
        elif form is not None and factor != 1:
            new = Affine(expr.inputs[_place(expr, form)], form.scale, form.shift * factor)
            graph.replace_node({expr.outputs[0]: shifted(graph, new)})
        elif conv is not None and factor != 1:
            conv.scaled(factor)
    graph.compile()


def _place(expr: Any, form: Affine) -> int:
    return next(k for k, node in enumerate(expr.inputs) if node is form.node)


def _demands(graph: Any, constants: dict[Any, Any], blocked: frozenset[int]) -> dict[Any, Demand]:
    """For each node the factor that it has to come with, as its users do without their multiplications.

    Raises:
        _Blocked: users want different ones, or the expression that makes it cannot give it.
    """
    wanted: dict[Any, list[Demand]] = {node: [(1.0, frozenset())] for node in graph.outputs}
    demands: dict[Any, Demand] = {}
    for expr in reversed(graph._exprs):
        own = [_agreed(wanted.get(node, [(1.0, frozenset())])) for node in expr.outputs]
        demands.update(zip(expr.outputs, own, strict=True))
        demand = own[0] if len(own) == 1 else (1.0, frozenset[int]())
        for factor, sources in own[1:] if len(own) > 1 else []:
            if factor != 1:
                raise _Blocked(sources)
        passed = _passed(expr, demand, constants, blocked)
        for node in expr.inputs:
            if isinstance(node, TensorNode) and node not in constants:
                wanted.setdefault(node, []).append(passed)
    for node in graph.inputs:
        factor, sources = _agreed(wanted.get(node, [(1.0, frozenset())]))
        if factor != 1:
            raise _Blocked(sources)
    return demands


def _agreed(wanted: list[Demand]) -> Demand:
    sources = frozenset[int]().union(*[s for _, s in wanted])
    if any(factor != wanted[0][0] for factor, _ in wanted):
        raise _Blocked(sources)
    return wanted[0][0], sources


def _passed(expr: Any, demand: Demand, constants: dict[Any, Any], blocked: frozenset[int]) -> Demand:
    """The factor that an expression's inputs have to come with, for that of its result."""
    factor, sources = demand
    if not expr.outputs or expr.outputs[0] in constants:
        return 1.0, frozenset()
    form = affine(expr, constants)
    if form is not None:
        if form.scale == 1:
            return demand
        if id(expr) not in blocked and form.shift == 0:
            return factor * form.scale, sources | {id(expr)}
        if factor != 1:
            raise _Blocked(sources | {id(expr)})
        return 1.0, frozenset()
    if factor == 1:
        return 1.0, frozenset()
    if Convolution.of(expr, constants) is not None:
        return 1.0, frozenset()
    if not _passes(expr, factor, constants):
        raise _Blocked(sources)
    return demand


def _passes(expr: Any, factor: float, constants: dict[Any, Any]) -> bool:
    """Whether inputs that are multiplied give a result that is."""
    if is_call_module(expr):
        kind = type(expr.inputs[0].owner)
        return kind in _LAYERS or (kind in _LAYERS_FOR_POSITIVE and factor > 0)
    called = expr.func if isinstance(expr, CallFunction) else expr.method if isinstance(expr, CallMethod) else None
    if called in _SUMS:
        return all(isinstance(node, TensorNode) and node not in constants for node in expr.args)
    if called == "__getitem__" or called in _ALWAYS:
        return all(node not in constants for node in expr.inputs)
    return called in _FOR_POSITIVE and factor > 0
