"""How many operations a layer takes: a multiplication with an addition counts as one, and so does adding a bias."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from .. import module as M
from ..tensor import Tensor

Rule = Callable[[Any, list[Tensor], list[Tensor]], float]
_rules: dict[type, Rule] = {}


def register_flops(*modules: Any) -> Callable[[Rule], Rule]:
    """Say how to count the operations of a class of modules.

    Args:
        modules: the classes; subclasses follow.

    Returns:
        a decorator for ``rule(module, inputs, outputs)``, which gets the tensors of the call.

    Example:
        >>> from megengine.utils.module_stats import module_stats, register_flops
        >>> class Diagonal(M.Linear):
        ...     pass
        >>> @register_flops(Diagonal)
        ... def flops_diagonal(module, inputs, outputs):
        ...     return outputs[0].size
        >>> module_stats(M.Sequential(Diagonal(3, 3)), input_shapes=(2, 3), logging_to_stdout=False)[0].flops
        6
    """

    def register(rule: Rule) -> Rule:
        for module in modules:
            _rules.pop(module, None)
            _rules[module] = rule
        return rule

    return register


def flops_of(module: M.Module, inputs: list[Tensor], outputs: list[Tensor]) -> int | None:
    """Operations of one call, by the rule for the nearest class; None if there is none."""
    for cls in type(module).__mro__:
        rule = _rules.get(cls)
        if rule is not None:
            return int(rule(module, inputs, outputs))
    return None


def _has_bias(module: Any) -> bool:
    return module.bias is not None and module.bias is not False


@register_flops(M.Conv1d, M.Conv2d, M.Conv3d, M.LocalConv2d, M.DeformableConv2d, M.RegionRestrictedConv)
def flops_convNd(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    window = _volume(module.kernel_size, outputs[0].ndim - 2)
    return prod(outputs[0].shape) * (module.in_channels // module.groups * window + _has_bias(module))


@register_flops(M.ConvTranspose2d, M.ConvTranspose3d)
def flops_convNdTranspose(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    window = _volume(module.kernel_size, outputs[0].ndim - 2)
    spread = prod(inputs[0].shape) * (module.out_channels // module.groups * window)
    return spread + prod(outputs[0].shape) * _has_bias(module)


def _volume(size: Any, dims: int) -> int:
    return prod(size) if isinstance(size, (tuple, list)) else int(size) ** dims


@register_flops(M.batchnorm._BatchNorm, M.GroupNorm, M.LayerNorm, M.InstanceNorm)
def flops_norm(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    return prod(outputs[0].shape) * 7


@register_flops(M.AvgPool2d, M.MaxPool2d)
def flops_pool(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    return prod(outputs[0].shape) * _volume(module.kernel_size, 2)


@register_flops(M.AdaptiveAvgPool2d, M.AdaptiveMaxPool2d)
def flops_adaptivePool(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    pairs = zip(inputs[0].shape[2:], outputs[0].shape[2:], strict=True)
    return prod(outputs[0].shape) * prod(n - (m - 1) * (n // m) for n, m in pairs)


@register_flops(M.Linear)
def flops_linear(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    return prod(outputs[0].shape) * module.in_features + module.out_features * _has_bias(module)


@register_flops(M.BatchMatMulActivation)
def flops_batchmatmul(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    return prod(outputs[0].shape) * (module.in_features + _has_bias(module))


@register_flops(M.rnn.RNNCellBase)
def _cell(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    rows = prod(outputs[0].shape[:-1]) * module.gate_hidden_size
    return rows * (module.input_size + module.hidden_size + _has_bias(module))


@register_flops(M.rnn.RNNBase)
def _recurrent(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    steps = prod(outputs[0].shape[:-1])
    rows = module.cells[0][0].gate_hidden_size * module.num_directions
    wide = module.num_directions * module.hidden_size
    columns = [layer_inputs + module.hidden_size + _has_bias(module) for layer_inputs in _inputs(module, wide)]
    return steps * rows * sum(columns)


def _inputs(module: Any, wide: int) -> list[int]:
    """How many inputs each layer has."""
    return [module.input_size, *[wide] * (module.num_layers - 1)]


@register_flops(M.MultiHeadAttention)
def _attention(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> float:
    query, key = (inputs * 2)[:2]
    size, bias = module.embed_dim, _has_bias(module)
    queries, keys = prod(query.shape[:-1]), prod(key.shape[:-1])
    projections = queries * size * 2 * (size + bias) + keys * size * (module.kdim + module.vdim + 2 * bias)
    return projections + 2 * queries * key.shape[-2] * size
