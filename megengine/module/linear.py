"""Fully connected layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._help.ranges import integer
from ..functional import relu
from ..functional.nn import linear
from ..tensor import Parameter, Tensor
from . import init
from .module import Module


class Linear(Module):
    """Linear (fully connected) layer, y = x W^T + b.

    The weight, of shape ``(out_features, in_features)``, starts with draws from a normal distribution of std
    1 / sqrt(in_features), the bias with zeros.

    Args:
        in_features: size of the last dimension of the input.
        out_features: size of the last dimension of the output.
        bias: whether to add a bias. Default: True
        compute_mode: ``"default"``, or ``"float32"`` to sum float16 products in float32.

    Raises:
        TypeError: a size is not an integer.
        ValueError: a size is not positive.

    Example:
        >>> layer = M.Linear(3, 1)
        >>> layer(Tensor(np.ones((2, 3), "float32"))).shape
        (2, 1)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, compute_mode: str = "default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.out_features = integer("out_features", out_features, 0)
        self.in_features = integer("in_features", in_features, 1)
        self.weight = Parameter(np.zeros((self.out_features, self.in_features), np.float32))
        self.bias = Parameter(np.zeros(self.out_features, np.float32)) if bias else None
        self.compute_mode = compute_mode
        self.reset_parameters()

    def _get_fanin(self) -> int:
        return self.in_features

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        init.normal_(self.weight, 0.0, math.sqrt(1 / self._get_fanin()))
        if self.bias is not None:
            init.zeros_(self.bias)

    def calc_linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer's function with another weight and bias."""
        return linear(x, weight, bias, compute_mode=self.compute_mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.calc_linear(x, self.weight, self.bias)

    def _module_info_string(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class LinearRelu(Linear):
    """:class:`Linear` followed by relu, which quantisation treats as one.

    Example:
        >>> bool((M.LinearRelu(3, 50)(Tensor(np.ones((2, 3), "float32"))).numpy() >= 0).all())
        True
    """

    def forward(self, inp: Tensor) -> Tensor:
        return relu(self.calc_linear(inp, self.weight, self.bias))
