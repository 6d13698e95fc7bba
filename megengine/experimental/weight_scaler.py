"""Weights scaled to a norm, by powers of two, in layers before a batch normalisation, which takes the scales out again.

It keeps weights in the range of half-precision numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from .. import functional as F
from .. import module as M
from ..tensor import Tensor
from ..utils.module_utils import set_module_mode_safe

Layer = M.Conv2d | M.Linear


def get_norm_mod_value(weight: Tensor, norm_value: float) -> Tensor:
    """The largest power of two that does not take the Euclidean norm of a weight above a value.

    Args:
        weight: the weight.
        norm_value: the norm.

    Example:
        >>> get_norm_mod_value(Tensor([3.0, 4.0]), 12.0)
        Tensor(2.0, device=xpux:0)
    """
    scale = norm_value / F.norm(weight.detach().reshape(-1))
    return 2 ** F.floor(F.log(scale) / F.log(Tensor(2.0)))


def get_scaled_model(
    model: M.Module, scale_submodel: Mapping[str, tuple[str, float]], input_shape: Sequence[int] | None = None
) -> M.Module:
    """Have layers of a model scale their weights while it trains.

    A named layer, or in a named part every convolution and linear layer up to the next batch normalisation, multiplies its weight
    with its scale, and its bias with the scales of all layers since the part began.

    Args:
        model: it is run once with zeros, and changed.
        scale_submodel: for the names of parts, ``("CONST", scale)``, or ``("NORM", norm)`` for the power of two that takes the
            weight near this norm.
        input_shape: of the model's input.

    Returns:
        The model.

    Raises:
        ValueError: no shape of the input.

    Example:
        >>> net = M.Sequential(M.Conv2d(1, 2, 3), M.BatchNorm2d(2))
        >>> net = get_scaled_model(net, {"0": ("CONST", 4.0)}, (1, 1, 3, 3))
        >>> net[0].weight_scale
        4.0
    """
    if input_shape is None:
        raise ValueError("get_scaled_model: input_shape is needed to see in which order the layers run")
    plan = _Plan(scale_submodel)
    hooks = [m.register_forward_pre_hook(partial(plan.enter, name=n)) for n, m in model.named_modules()]
    try:
        with set_module_mode_safe(model, training=False):
            model(F.zeros(tuple(input_shape)))
    finally:
        for hook in hooks:
            hook.remove()
    return model


class _Plan:
    """Follows the order in which layers run, and scales those between a named part and the next normalisation."""

    def __init__(self, scales: Mapping[str, tuple[str, float]]) -> None:
        self.scales = scales
        self.setting: tuple[str, float] = ("CONST", 1.0)
        self.pending: list[Layer] | None = None
        self.accumulated: Any = 1.0

    def enter(self, module: M.Module, inputs: Any, name: str) -> None:
        """A module is about to run."""
        if name in self.scales:
            self.setting = self.scales[name]
            if isinstance(module, Layer):
                self.scale([module])
            else:
                self.pending = []
        elif isinstance(module, Layer) and self.pending is not None:
            self.pending.append(module)
        if isinstance(module, M.BatchNorm2d) and self.pending is not None:
            self.scale(self.pending)
            self.pending, self.accumulated = None, 1.0

    def scale(self, layers: list[Layer]) -> None:
        """Give layers their scales."""
        kind, value = self.setting
        for layer in layers:
            scale = value if kind == "CONST" else get_norm_mod_value(layer.weight, value)
            self.accumulated = self.accumulated * scale
            layer.weight_scale, layer.bias_scale = scale, self.accumulated
            name = "calc_conv" if isinstance(layer, M.Conv2d) else "calc_linear"
            object.__setattr__(layer, name, partial(_scaled, layer, getattr(layer, name)))


def _scaled(layer: Any, function: Callable[..., Tensor], inp: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if layer.training:
        weight = weight * layer.weight_scale
        bias = None if bias is None else bias * layer.bias_scale
    return function(inp, weight, bias)
