"""A fully connected layer and batch normalisation as one layer, which quantisation folds together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functional import relu
from ..tensor import Parameter, Tensor
from .batchnorm import BatchNorm1d
from .linear import Linear
from .module import Module


class _LinearBnActivation1d(Module):
    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        compute_mode: str = "default",
        eps: float = 1e-5,
        momentum: float = 0.9,
        affine: bool = True,
        track_running_stats: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.out_features = out_features
        self.in_features = in_features
        self.linear = Linear(in_features, out_features, bias, compute_mode, **kwargs)
        # Nothing uses it, but MegEngine's state dicts contain it.
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None
        self.bn = BatchNorm1d(out_features, eps, momentum, affine, track_running_stats)


class LinearBn1d(_LinearBnActivation1d):
    """:class:`Linear` (``linear``) followed by :class:`BatchNorm1d` (``bn``); the arguments are theirs.

    Example:
        >>> M.LinearBn1d(3, 4)(Tensor(np.ones((2, 3), "float32"))).shape
        (2, 4)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return self.bn(self.linear(inp))


class LinearBnRelu1d(_LinearBnActivation1d):
    """:class:`LinearBn1d` followed by relu.

    Example:
        >>> M.LinearBnRelu1d(3, 4)(Tensor(np.ones((2, 3), "float32"))).shape
        (2, 4)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return relu(self.bn(self.linear(inp)))
