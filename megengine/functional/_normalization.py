"""Normalisations: shifting and scaling to mean 0 and variance 1 over chosen dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

from .._help.ranges import number, within
from ..graph.apply import apply
from ..graph.shared import claim, exclusive
from ..graph.together import reset_together
from ..ops import nn as ops
from ..tensor import Tensor
from ..tensor import axes as _axes
from ._args import setting, tensor_of
from ._creation import full


def _parameters(name: str, affine: bool, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, ...]:
    if not affine:
        return ()
    if weight is None or bias is None:
        raise AssertionError(f"{name}: weight and bias are needed if affine is True")
    return weight, bias


def layer_norm(
    inp: Tensor,
    normalized_shape: int | Sequence[int],
    affine: bool,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer normalisation, over the last dimensions (Ba et al., Layer Normalization, 2016).

    ``(x - mean(x)) / sqrt(var(x) + eps) * weight + bias``

    Args:
        inp: ``(..., *normalized_shape)``.
        normalized_shape: sizes of the dimensions to normalise over.
        affine: whether to apply ``weight`` and ``bias``.
        weight: scales, of ``normalized_shape`` or flat.
        bias: shifts, of ``normalized_shape`` or flat.
        eps: added to the variance.

    Raises:
        AssertionError: affine without weight or bias, or an empty ``normalized_shape``.
        RuntimeError: shapes do not fit.

    Example:
        >>> F.nn.layer_norm(Tensor([[1.0, 2.0, 3.0]]), 3, affine=False)
        Tensor([[-1.2247  0.      1.2247]], device=xpux:0)
    """
    inp = tensor_of(inp)
    sizes = _axes.as_shape(normalized_shape, "normalized_shape")
    if not sizes:
        raise AssertionError("layer_norm: normalized_shape is empty")
    first = inp.ndim - len(sizes)
    if first < 0 or inp.shape[first:] != sizes:
        raise RuntimeError(f"layer_norm: an input of shape {inp.shape} does not end in normalized_shape {sizes}")
    if type(eps) is not float or not eps >= 0:
        within("eps", eps, 0)
    return apply(
        ops.layer_norm,
        inp,
        *_parameters("layer_norm", affine, weight, bias),
        axes=tuple(range(first, inp.ndim)),
        eps=eps,
    )


def general_norm(
    inp: Tensor,
    normalized_axis: int | Sequence[int],
    affine: bool = True,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalisation over chosen dimensions, as :func:`layer_norm` over the last ones.

    Args:
        inp: input.
        normalized_axis: the dimensions, in increasing order.
        affine: whether to apply ``weight`` and ``bias``.
        weight: scales of the normalised dimensions.
        bias: shifts of the normalised dimensions.
        eps: added to the variance.

    Raises:
        AssertionError: affine without weight or bias, no dimensions, or dimensions that are unordered or do not exist.
        RuntimeError: shapes do not fit.

    Example:
        >>> F.nn.general_norm(Tensor([[1.0, 2.0], [3.0, 4.0]]), 0, affine=False)
        Tensor([[-1. -1.]
         [ 1.  1.]], device=xpux:0)
    """
    inp = tensor_of(inp)
    given = _axes.as_shape(normalized_axis, "normalized_axis")
    axes = tuple(a + inp.ndim if a < 0 else a for a in given)
    if not axes or list(axes) != sorted(set(axes)) or axes[0] < 0 or axes[-1] >= inp.ndim:
        raise AssertionError(f"general_norm: {given} are not increasing dimensions of shape {inp.shape}")
    if type(eps) is not float or not eps >= 0:
        within("eps", eps, 0)
    return apply(ops.general_norm, inp, *_parameters("general_norm", affine, weight, bias), axes=axes, eps=eps)


def group_norm(
    inp: Tensor,
    num_groups: int,
    affine: bool,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Group normalisation, over groups of channels (Wu and He, Group Normalization, 2018).

    Args:
        inp: ``(N, C, ...)``.
        num_groups: number of groups that the channels are divided into.
        affine: whether to apply ``weight`` and ``bias``.
        weight: scales of the channels.
        bias: shifts of the channels.
        eps: added to the variance.

    Raises:
        AssertionError: affine without weight or bias.
        RuntimeError: the channels cannot be divided so, or shapes do not fit.

    Example:
        >>> F.nn.group_norm(Tensor([[1.0, 3.0, 5.0, 9.0]]), 2, affine=False)
        Tensor([[-1.  1. -1.  1.]], device=xpux:0)
    """
    inp = tensor_of(inp)
    if type(eps) is not float or not eps >= 0:
        within("eps", eps, 0)
    return apply(ops.group_norm, inp, *_parameters("group_norm", affine, weight, bias), groups=num_groups, eps=eps)


def instance_norm(
    inp: Tensor, affine: bool, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Instance normalisation, of each channel of each example (Ulyanov et al., Instance Normalization, 2016).

    Args:
        inp: ``(N, C, ...)``.
        affine: whether to apply ``weight`` and ``bias``.
        weight: scales of the channels.
        bias: shifts of the channels.
        eps: added to the variance.

    Raises:
        AssertionError: affine without weight or bias.
        RuntimeError: shapes do not fit.

    Example:
        >>> F.nn.instance_norm(Tensor([[[1.0, 3.0], [5.0, 9.0]]]), affine=False)
        Tensor([[[-1.  1.]
          [-1.  1.]]], device=xpux:0)
    """
    inp = tensor_of(inp)
    channels = inp.shape[1] if inp.ndim > 1 else 0
    if type(eps) is not float or not eps >= 0:
        within("eps", eps, 0)
    return apply(ops.instance_norm, inp, *_parameters("instance_norm", affine, weight, bias), groups=channels, eps=eps)


def batch_norm(
    inp: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    training: bool = False,
    momentum: float = 0.9,
    eps: float = 1e-5,
    inplace: bool = True,
) -> Any:
    """Batch normalisation, of each channel over the batch (Ioffe and Szegedy, Batch Normalization, 2015).

    In training the batch's mean and variance are used, and the running ones become ``momentum * old + (1 - momentum) * batch``,
    where the batch's variance is the unbiased one. A batch without elements changes neither, and one of a single element a
    channel no variance. Otherwise the running ones are used.

    Args:
        inp: ``(N, C, ...)``.
        running_mean: ``(C,)`` or ``(1, C, 1, 1)``.
        running_var: ``(C,)`` or ``(1, C, 1, 1)``.
        weight: scales of the channels; default 1.
        bias: shifts of the channels; default 0.
        training: which mean and variance to use.
        momentum: share of the running statistics that is kept.
        eps: added to the variance.
        inplace: change the running statistics; otherwise they are returned.

    Returns:
        The normalised input; in training with running statistics and without ``inplace`` also the new mean and variance.

    Raises:
        AssertionError: no running statistics although not training.
        RuntimeError: shapes do not fit.

    Example:
        >>> F.nn.batch_norm(Tensor([[1.0, 5.0], [3.0, 9.0]]), training=True)
        Tensor([[-1. -1.]
         [ 1.  1.]], device=xpux:0)
    """
    for name, given in (("running_mean", running_mean), ("running_var", running_var)):
        if given is None and not training:
            raise AssertionError(f"batch_norm: {name} is needed in inference")
    if type(eps) is not float or not eps >= 0:
        within("eps", eps, 0)
    if training and isinstance(momentum, Real):
        within("momentum", momentum, 0, 1)
    channels = inp.shape[1] if inp.ndim > 1 else 0
    scale = full((channels,), 1.0, device=inp.device) if weight is None else weight
    shift = full((channels,), 0.0, device=inp.device) if bias is None else bias
    if not training:
        return apply(ops.batch_norm, inp, scale, shift, running_mean, running_var, eps=eps)
    old_mean = full((channels,), 0.0, device=inp.device) if running_mean is None else running_mean
    old_var = full((channels,), 1.0, device=inp.device) if running_var is None else running_var
    held = [old for old in (running_mean, running_var) if old is not None]
    with exclusive:
        claim(held)
        out, mean, var = apply(ops.batch_norm_training, inp, scale, shift, old_mean, old_var, setting(momentum), eps=eps)
        if not held or inplace:
            reset_together(held, [new for old, new in ((running_mean, mean), (running_var, var)) if old is not None])
            return out
    return out, mean if running_mean is not None else None, var if running_var is not None else None


def local_response_norm(
    inp: Tensor, kernel_size: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> Tensor:
    """Local response normalisation across channels (Krizhevsky et al., ImageNet Classification, 2012).

    ``x / (k + alpha * sum(x ** 2)) ** beta``, summed over ``kernel_size`` channels around its own.

    Args:
        inp: ``(N, C, H, W)``.
        kernel_size: how many channels.
        k: added to the sum.
        alpha: factor of the sum.
        beta: exponent.

    Raises:
        RuntimeError: fewer than two dimensions, or integers.

    Example:
        >>> F.nn.local_response_norm(F.ones((1, 2, 1, 1)), 3, k=0.0, alpha=2.0, beta=0.5).flatten()
        Tensor([0.5 0.5], device=xpux:0)
    """
    inp = tensor_of(inp)
    if inp.ndim < 2:
        raise RuntimeError(f"local_response_norm: the input needs channels, it has shape {inp.shape}")
    numbers = {n: number(n, x) for n, x in (("k", k), ("alpha", alpha), ("beta", beta))}
    return apply(ops.local_response_norm, inp, size=_axes.as_int(kernel_size, "kernel_size"), **numbers)
