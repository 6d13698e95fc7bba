"""Batch normalizations into convolutions, and chains of additions and multiplications with numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...functional import batch_norm
from ...module import BatchNorm2d
from ..expr import is_call_function, is_call_module
from .constants import Affine, affine, constants_of
from .convolutions import Convolution

__all__ = ["fuse_add_mul", "fuse_conv_bn", "shifted"]


def fuse_conv_bn(graph: Any) -> None:
    """Put the batch normalization of a convolution's result into its weights, where nothing else uses that result."""
    for expr in list(graph._exprs):
        constants = constants_of(graph)
        statistics = _statistics(expr, constants)
        if statistics is None:
            continue
        source = expr.inputs[1 if is_call_module(expr) else 0]
        conv = Convolution.of(source.expr, constants)
        if conv is None or len(source.users) != 1 or source in graph.outputs:
            continue
        gamma, beta, mean, var, eps = statistics
        factor = gamma / np.sqrt(var + eps)
        made = conv.scaled(factor, beta - mean * factor)
        graph.replace_node({expr.outputs[0]: made})
        graph.compile()


def _statistics(expr: Any, constants: dict[Any, Any]) -> Any:
    """Scale, shift, mean, variance and epsilon of a batch normalization that uses its statistics; None for others."""
    names = ("weight", "bias", "running_mean", "running_var")
    if is_call_module(expr, BatchNorm2d):
        norm = expr.inputs[0].owner
        if norm.training and not norm.freeze:
            return None
        tensors, eps = [getattr(norm, name) for name in names], norm.eps
    elif is_call_function(expr, batch_norm) and not expr.named_args["training"]:
        named = expr.named_args
        tensors, eps = [constants.get(named[name]) for name in names], named["eps"]
        if any(tensor is None and named[name] is not None for tensor, name in zip(tensors, names, strict=True)):
            return None
    else:
        return None
    if tensors[2] is None or tensors[3] is None:
        return None
    gamma, beta, mean, var = (None if t is None else t.numpy().reshape(-1) for t in tensors)
    return np.float32(1) if gamma is None else gamma, np.float32(0) if beta is None else beta, mean, var, eps


def fuse_add_mul(graph: Any) -> None:
    """Make one multiplication and one addition of a chain of them, where nothing else uses what is between."""
    for expr in reversed(list(graph._exprs)):
        if expr not in graph._exprs:
            continue
        constants = constants_of(graph)
        whole = affine(expr, constants)
        if whole is None:
            continue
        length = 1
        while len(whole.node.users) == 1 and whole.node not in graph.outputs:
            before = affine(whole.node.expr, constants)
            if before is None:
                break
            whole = Affine(before.node, before.scale * whole.scale, before.shift * whole.scale + whole.shift)
            length += 1
        if length > (whole.scale != 1) + (whole.shift != 0):
            graph.replace_node({expr.outputs[0]: shifted(graph, whole)})
            graph.compile()


def shifted(graph: Any, wanted: Affine) -> Any:
    """The node of a multiplication and an addition, as far as they do something."""
    node = wanted.node
    if wanted.scale == 1 and wanted.shift == 0:
        return node
    with graph.insert_exprs():
        node = node * wanted.scale if wanted.scale != 1 else node
        node = node + wanted.shift if wanted.shift != 0 else node
    return node
