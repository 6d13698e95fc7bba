"""Activation functions as modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._help.ranges import within
from ..functional import gelu, leaky_relu, prelu, relu, sigmoid, silu, softmax
from ..tensor import Parameter, Tensor
from .module import Module


class Softmax(Module):
    """Softmax, exp(x_i) / sum_j exp(x_j), along an axis.

    Args:
        axis: the axis to sum over. Default: 0 for inputs of 0, 1 or 3 dimensions, else 1

    Example:
        >>> np.round(M.Softmax()(Tensor([0.0, 1.0])).numpy(), 3).tolist() == np.float32([0.269, 0.731]).tolist()
        True
    """

    def __init__(self, axis: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def forward(self, inputs: Tensor) -> Tensor:
        return softmax(inputs, self.axis)

    def _module_info_string(self) -> str:
        return f"axis={self.axis}"


class Sigmoid(Module):
    """Sigmoid, 1 / (1 + exp(-x)), of each element.

    Example:
        >>> M.Sigmoid()(Tensor([0.0])).numpy()
        array([0.5], dtype=float32)
    """

    def forward(self, inputs: Tensor) -> Tensor:
        return sigmoid(inputs)


class SiLU(Module):
    """Sigmoid linear unit (swish), x / (1 + exp(-x)), of each element.

    Example:
        >>> M.SiLU()(Tensor([0.0, 100.0])).numpy()
        array([  0., 100.], dtype=float32)
    """

    def forward(self, inputs: Tensor) -> Tensor:
        return silu(inputs)


class GELU(Module):
    """Gaussian error linear unit, x times the normal distribution function of x, of each element.

    Example:
        >>> M.GELU()(Tensor([0.0, 100.0])).numpy()
        array([  0., 100.], dtype=float32)
    """

    def forward(self, inputs: Tensor) -> Tensor:
        return gelu(inputs)


class ReLU(Module):
    """Rectified linear unit, max(x, 0), of each element.

    Example:
        >>> M.ReLU()(Tensor([-1.0, 2.0])).numpy()
        array([0., 2.], dtype=float32)
    """

    def forward(self, x: Tensor) -> Tensor:
        return relu(x)


class PReLU(Module):
    """Parametric ReLU, max(x, 0) + a min(x, 0) with a learnt slope a.

    Args:
        num_parameters: 1 for one slope, or the number of channels (dimension 1 of four) for one each. Default: 1
        init: start value of the slopes. Default: 0.25

    Example:
        >>> M.PReLU()(Tensor([-4.0, 2.0])).numpy()
        array([-1.,  2.], dtype=float32)
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_parameters = within("num_parameters", num_parameters, 1)
        shape = (1, num_parameters, 1, 1) if num_parameters > 1 else (1,)
        self.weight = Parameter(np.full(shape, within("init", init), np.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        return prelu(inputs, self.weight)


class LeakyReLU(Module):
    """Leaky ReLU, max(x, 0) + negative_slope min(x, 0), of each element.

    Args:
        negative_slope: the slope. Default: 0.01

    Example:
        >>> M.LeakyReLU(0.5)(Tensor([-4.0, 2.0])).numpy()
        array([-2.,  2.], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = within("negative_slope", negative_slope)

    def forward(self, inputs: Tensor) -> Tensor:
        return leaky_relu(inputs, self.negative_slope)
