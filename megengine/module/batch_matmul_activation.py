"""A batch of matrix products with a bias and an activation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._help.ranges import integer
from ..functional import matmul, relu
from ..tensor import Parameter, Tensor
from . import init
from .module import Module


class BatchMatMulActivation(Module):
    """Batched matrix product ``weight @ x + bias``, a matrix for each example, and relu if asked for.

    The weight, of shape ``(batch, out_features, in_features)``, starts with draws from a normal distribution of std
    1 / sqrt(in_features); the bias, of shape ``(out_features,)``, with zeros. It is added along the last dimension of the
    product ``(batch, out_features, columns)``, as in MegEngine.

    Args:
        batch: how many matrices.
        in_features: rows of the input ``(batch, in_features, columns)``.
        out_features: rows of the output.
        bias: whether to add a bias. Default: True
        nonlinear_mode: ``"identity"`` or ``"relu"``. Default: ``"identity"``

    Raises:
        TypeError: a size is not an integer.
        ValueError: a size is not positive.

    Example:
        >>> layer = M.BatchMatMulActivation(2, 3, 4, nonlinear_mode="relu")
        >>> layer(Tensor(np.ones((2, 3, 4), "float32"))).shape
        (2, 4, 4)
    """

    def __init__(
        self,
        batch: int,
        in_features: int,
        out_features: int,
        bias: bool = True,
        nonlinear_mode: str = "identity",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch = integer("batch", batch, 0)
        self.out_features = integer("out_features", out_features, 0)
        self.in_features = integer("in_features", in_features, 1)
        self.weight = Parameter(np.zeros((self.batch, self.out_features, self.in_features), np.float32))
        self.bias = Parameter(np.zeros(self.out_features, np.float32)) if bias else None
        self.nonlinear_mode = nonlinear_mode.lower()
        self.reset_parameters()

    def _get_fanin(self) -> int:
        return self.in_features

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        init.normal_(self.weight, 0.0, math.sqrt(1 / self._get_fanin()))
        if self.bias is not None:
            init.zeros_(self.bias)

    def _calc_linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out = matmul(weight, x)
        if bias is not None:
            out = out + bias
        return relu(out) if self.nonlinear_mode == "relu" else out

    def forward(self, x: Tensor) -> Tensor:
        return self._calc_linear(x, self.weight, self.bias)

    def _module_info_string(self) -> str:
        return (
            f"batch={self.batch}, in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
