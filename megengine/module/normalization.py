"""Normalisations over the dimensions of each example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._help.ranges import within
from ..functional.nn import general_norm, group_norm, instance_norm, layer_norm
from ..tensor import Parameter, Tensor
from ..tensor.axes import as_shape
from .init import ones_, zeros_
from .module import Module


class _Norm(Module):
    """What these share: a weight and a bias, or neither."""

    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, eps: float, affine: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.eps = within("eps", eps, 0)
        self.affine = affine

    def _make_parameters(self, shape: tuple[int, ...]) -> None:
        self.weight = Parameter(np.ones(shape, np.float32)) if self.affine else None
        self.bias = Parameter(np.zeros(shape, np.float32)) if self.affine else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros."""
        if self.weight is not None and self.bias is not None:
            ones_(self.weight)
            zeros_(self.bias)


class GroupNorm(_Norm):
    """Group normalisation (Wu and He, Group Normalization, 2018): ``(x - mean) / sqrt(var + eps) * weight + bias``.

    Args:
        num_groups: number of groups that the channels are divided into.
        num_channels: channels of the input ``(N, num_channels, ...)``.
        eps: added to the variance. Default: 1e-5
        affine: whether there are a weight and a bias, of shape ``(num_channels,)``. Default: True

    Raises:
        AssertionError: the groups do not divide the channels.

    Example:
        >>> M.GroupNorm(2, 4)(Tensor([[1.0, 3.0, 5.0, 9.0]]))
        Tensor([[-1.  1. -1.  1.]], device=xpux:0)
    """

    _flat_state = True

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(eps, affine, **kwargs)
        within("num_channels", num_channels, 1)
        if num_groups < 1 or num_channels % num_groups:
            raise AssertionError(f"GroupNorm: {num_channels} channels cannot be divided into {num_groups} groups")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self._make_parameters((num_channels,))

    def forward(self, x: Tensor) -> Tensor:
        return group_norm(x, self.num_groups, self.affine, self.weight, self.bias, self.eps)

    def _module_info_string(self) -> str:
        return f"groups={self.num_groups}, channels={self.num_channels}, eps={self.eps}, affine={self.affine}"


class InstanceNorm(_Norm):
    """Instance normalisation, of each channel of each example (Ulyanov et al., Instance Normalization, 2016).

    Args:
        num_channels: channels of the input ``(N, num_channels, ...)``.
        eps: added to the variance. Default: 1e-5
        affine: whether there are a weight and a bias, of shape ``(num_channels,)``. Default: True

    Example:
        >>> M.InstanceNorm(2)(Tensor([[[1.0, 3.0], [5.0, 9.0]]]))
        Tensor([[[-1.  1.]
          [-1.  1.]]], device=xpux:0)
    """

    _flat_state = True

    def __init__(self, num_channels: int, eps: float = 1e-5, affine: bool = True, **kwargs: Any) -> None:
        super().__init__(eps, affine, **kwargs)
        self.num_channels = within("num_channels", num_channels, 1)
        self._make_parameters((num_channels,))

    def forward(self, x: Tensor) -> Tensor:
        return instance_norm(x, self.affine, self.weight, self.bias, self.eps)

    def _module_info_string(self) -> str:
        return f"channels={self.num_channels}, eps={self.eps}, affine={self.affine}"


class LayerNorm(_Norm):
    """Layer normalisation, over the last dimensions (Ba et al., Layer Normalization, 2016).

    Args:
        normalized_shape: sizes of these dimensions, or the size of the last one.
        eps: added to the variance. Default: 1e-5
        affine: whether there are a weight and a bias, of ``normalized_shape``. Default: True

    Raises:
        RuntimeError: an input that does not end in ``normalized_shape``.

    Example:
        >>> M.LayerNorm(3)(Tensor([[1.0, 2.0, 3.0]]))
        Tensor([[-1.2247  0.      1.2247]], device=xpux:0)
    """

    _flat_state = True

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5, affine: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(eps, affine, **kwargs)
        self.normalized_shape = as_shape(normalized_shape, "normalized_shape")
        within("normalized_shape", min(self.normalized_shape, default=0), 0)
        self._make_parameters(self.normalized_shape)

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.normalized_shape, self.affine, self.weight, self.bias, self.eps)

    def _module_info_string(self) -> str:
        return f"normalized_shape={self.normalized_shape}, eps={self.eps}, affine={self.affine}"


class GeneralNorm(_Norm):
    """Normalisation over chosen dimensions, as :class:`LayerNorm` over the last ones.

    Args:
        normalized_shape: sizes of these dimensions; needed for ``affine``.
        normalized_axis: the dimensions in increasing order, one for each size. Default: 0
        eps: added to the variance. Default: 1e-5
        affine: whether there are a weight and a bias, of ``normalized_shape``. Default: True

    Raises:
        AssertionError: sizes and dimensions do not match each other or the input, or the dimensions are not increasing.

    Example:
        >>> M.GeneralNorm(2, 0)(Tensor([[1.0, 2.0], [3.0, 4.0]]))
        Tensor([[-1. -1.]
         [ 1.  1.]], device=xpux:0)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int] | None = None,
        normalized_axis: int | Sequence[int] = 0,
        eps: float = 1e-5,
        affine: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(eps, affine, **kwargs)
        if affine and (normalized_shape is None or normalized_axis is None):
            raise AssertionError("GeneralNorm: affine=True needs normalized_shape and normalized_axis")
        axes = as_shape(normalized_axis, "normalized_axis")
        self.normalized_axis = axes if isinstance(normalized_axis, tuple) else list(axes)
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        if self.normalized_shape is not None and len(self.normalized_axis) != len(self.normalized_shape):
            raise AssertionError(
                f"GeneralNorm: normalized_shape {self.normalized_shape} and normalized_axis {self.normalized_axis} "
                "differ in length"
            )
        if len(set(self.normalized_axis)) != len(self.normalized_axis):
            raise AssertionError(f"GeneralNorm: normalized_axis {self.normalized_axis} names a dimension twice")
        within("normalized_shape", min(self.normalized_shape or (), default=0), 0)
        self._make_parameters(tuple(self.normalized_shape or ()))

    def forward(self, x: Tensor) -> Tensor:
        axes = [a + x.ndim if a < 0 else a for a in self.normalized_axis]
        if min(axes, default=0) < 0:
            raise AssertionError(
                f"GeneralNorm: an input of shape {x.shape} has no dimension {min(self.normalized_axis)}"
            )
        if axes != sorted(axes):
            raise AssertionError(f"GeneralNorm: normalized_axis must be increasing, {self.normalized_axis} is not")
        if self.normalized_shape is not None:
            found = [x.shape[a] if a < x.ndim else None for a in axes]
            if found != list(self.normalized_shape):
                raise AssertionError(
                    f"GeneralNorm: dimensions {axes} of an input of shape {x.shape} are not {self.normalized_shape}"
                )
        return general_norm(x, axes, self.affine, self.weight, self.bias, self.eps)

    def _module_info_string(self) -> str:
        return (
            f"normalized_shape={self.normalized_shape}, normalized_axis={self.normalized_axis}, eps={self.eps}, "
            f"affine={self.affine}"
        )
