"""Batch normalisation folded into the layer in front of it, and layers that are fused."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from .. import module as M
from ..functional import ones, sqrt, zeros
from ..module import Module
from ..tensor import Parameter, Tensor

__all__ = ["fold_weight_bias", "fuse_conv_bn_relu_module", "fuse_linear_bn_relu_module"]

# A layer, with what it becomes: with relu behind it, and in training with a normalisation, and with both.
_FUSED: dict[type, tuple[type, type, type]] = {
    M.Conv2d: (M.ConvRelu2d, M.ConvBn2d, M.ConvBnRelu2d),
    M.ConvTranspose2d: (M.ConvTransposeRelu2d, M.ConvTransposeBn2d, M.ConvTransposeBnRelu2d),
    M.Linear: (M.LinearRelu, M.LinearBn1d, M.LinearBnRelu1d),
}


def _factor_shape(weight: Tensor, transpose: bool) -> tuple[int, ...]:
    """The shape in which numbers of the output channels multiply a weight."""
    if weight.ndim == 2:
        return (-1, 1)
    if transpose:
        return (1, -1, 1, 1) if weight.ndim == 4 else (weight.shape[0], 1, -1, 1, 1)
    return (-1, 1, 1, 1) if weight.ndim == 4 else (weight.shape[0], -1, 1, 1, 1)


def fold_weight_bias(
    weight: Tensor,
    bias: Tensor | None,
    gamma: Tensor | None,
    beta: Tensor | None,
    bn_mean: Tensor | None,
    bn_var: Tensor | None,
    eps: float = 1e-5,
    transpose: bool = False,
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer that also does what a batch normalisation behind it did.

    ``weight * gamma / sqrt(var + eps)`` and ``beta + gamma * (bias - mean) / sqrt(var + eps)``.

    Args:
        weight: of a fully connected layer, ``(O, I)``, or of a 2-D convolution, with groups too.
        bias: its bias, or None.
        gamma, beta: scale and shift of the normalisation, or None for 1 and 0.
        bn_mean, bn_var: its statistics, or None for 0 and 1.
        eps: what it adds to the variance. Default: 1e-5
        transpose: whether the weight is that of a transposed convolution. Default: False

    Example:
        >>> from megengine.utils.bn_fusion import fold_weight_bias
        >>> w, b = fold_weight_bias(Tensor([[2.0]]), Tensor([1.0]), Tensor([3.0]), None, Tensor([1.0]), None, eps=0.0)
        >>> w, b
        (Tensor([[6.]], device=xpux:0), Tensor([0.], device=xpux:0))
    """
    shape = _factor_shape(weight, transpose)
    at = shape.index(-1)
    count = weight.shape[at] * (weight.shape[0] if weight.ndim == 5 else 1)
    filled = [
        (zeros if k % 2 else ones)((count,)) if x is None else x.reshape(-1)
        for k, x in enumerate((gamma, beta, bn_var, bn_mean))
    ]
    scale, shift, var, mean = filled
    factor = scale / sqrt(var + eps)
    old = zeros((count,)) if bias is None else bias.reshape(-1)
    new = shift + factor * (old - mean)
    return weight * factor.reshape(shape), new if weight.ndim == 2 else new.reshape(1, -1, 1, 1)


def _fused(layer: Any, bn: Any, relu: Any, inner: str, channels: int, settings: dict[str, Any]) -> Module:
    if bn is not None:
        if layer.training != bn.training:
            raise AssertionError("the layer and its normalisation must both be in training, or both in evaluation")
        if bn.num_features != channels:
            raise AssertionError(f"a layer of {channels} outputs does not fit a normalisation of {bn.num_features}")
    learns = bn is not None and layer.training
    of_relu, of_bn, of_both = _FUSED[type(layer)]
    if learns:
        made_class: type = of_bn if relu is None else of_both
    else:
        made_class = type(layer) if relu is None else of_relu
    made: Any = made_class(**settings, bias=layer.bias is not None, compute_mode=layer.compute_mode, name=layer.name)
    target = getattr(made, inner) if learns else made
    weight, bias = layer.weight, layer.bias
    if bn is not None and not learns:
        statistics = (bn.weight, bn.bias, bn.running_mean, bn.running_var, bn.eps)
        weight, bias = fold_weight_bias(weight, bias, *statistics, inner == "conv_transpose2d")
    target.weight = Parameter(weight)
    if bias is not None:
        target.bias = Parameter(bias)
    if learns:
        made.bn = deepcopy(bn)
    target.training = layer.training
    return made


def fuse_conv_bn_relu_module(
    conv: M.Conv2d | M.ConvTranspose2d, bn: M.BatchNorm2d | None, relu: M.ReLU | None
) -> Module:
    """One layer for a convolution with what follows it; in evaluation the normalisation is folded into its weight.

    Args:
        conv: a :class:`~megengine.module.Conv2d` or :class:`~megengine.module.ConvTranspose2d`.
        bn: its normalisation, or None.
        relu: its activation, or None.

    Raises:
        AssertionError: one is in training and the other in evaluation, or the channels differ.

    Example:
        >>> from megengine.utils.bn_fusion import fuse_conv_bn_relu_module
        >>> type(fuse_conv_bn_relu_module(M.Conv2d(3, 4, 1), M.BatchNorm2d(4), M.ReLU())).__name__
        'ConvBnRelu2d'
    """
    names: tuple[str, ...] = (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "conv_mode",
    )
    transposed = isinstance(conv, M.ConvTranspose2d)
    names += ("output_padding",) if transposed else ("padding_mode",)
    settings = {name: getattr(conv, name) for name in names}
    return _fused(conv, bn, relu, "conv_transpose2d" if transposed else "conv", conv.out_channels, settings)


def fuse_linear_bn_relu_module(linear: M.Linear, bn: M.BatchNorm1d | None, relu: M.ReLU | None) -> Module:
    """:func:`fuse_conv_bn_relu_module` for a fully connected layer.

    Args:
        linear: a :class:`~megengine.module.Linear`.
        bn: its normalisation, or None.
        relu: its activation, or None.

    Raises:
        AssertionError: one is in training and the other in evaluation, or the sizes differ.

    Example:
        >>> from megengine.utils.bn_fusion import fuse_linear_bn_relu_module
        >>> type(fuse_linear_bn_relu_module(M.Linear(3, 4), None, M.ReLU())).__name__
        'LinearRelu'
    """
    settings = {"in_features": linear.in_features, "out_features": linear.out_features}
    return _fused(linear, bn, relu, "linear", linear.out_features, settings)
