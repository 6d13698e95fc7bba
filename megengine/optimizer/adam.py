"""Adam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..functional import sqrt
from ..tensor import Parameter, Tensor
from .optimizer import ParameterwiseOptimizer, put, require


def complement(beta: float) -> float:
    """1 - beta as float32 has it: where 1 - beta**step is calculated in float32, the two must cancel in the first step."""
    return float(np.float32(1) - np.float32(beta))


def adam_direction(grad: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    """Update the running averages of a parameter; returns the bias-corrected direction that Adam steps along."""
    beta0, beta1 = map(float, group["betas"])
    step = state["step"] + 1.0
    mean = state["exp_avg"] * beta0 + grad * complement(beta0)
    square = state["exp_avg_sq"] * beta1 + grad * grad * complement(beta1)
    put(state["step"], step)
    put(state["exp_avg"], mean)
    put(state["exp_avg_sq"], square)
    return (mean / (1.0 - beta0**step)) / (sqrt(square / (1.0 - beta1**step)) + group["eps"])


class Adam(ParameterwiseOptimizer):
    """Adam: steps along a running average of the gradient over the root of one of its square.

    With g the gradient plus ``weight_decay`` times the parameter: m = beta0 m + (1 - beta0) g; v = beta1 v + (1 - beta1) g^2; the
    parameter decreases by lr (m / (1 - beta0^t)) / (sqrt(v / (1 - beta1^t)) + eps) in step t. From Kingma and Ba, Adam: a method
    for stochastic optimization, 2014.

    Args:
        params: the parameters, or groups of them.
        lr: learning rate.
        betas: fractions of the two averages that are kept. Default: (0.9, 0.999)
        eps: added to the divisor. Default: 1e-8
        weight_decay: factor of the L2 penalty. Default: 0

    Raises:
        ValueError: a number is negative, or a beta is not below 1.

    Example:
        >>> param = megengine.Parameter([1.0])
        >>> param.grad = Tensor([4.0])
        >>> optimizer = megengine.optimizer.Adam([param], lr=0.5).step()
        >>> param.numpy()
        array([0.5], dtype=float32)
    """

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        require("learning rate", lr, 0)
        require("weight_decay value", weight_decay, 0)
        require("epsilon value", eps, 0)
        require("beta parameter at index 0", betas[0], 0, below=1)
        require("beta parameter at index 1", betas[1], 0, below=1)
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps})

    def _init_state(self, param: Parameter, group: dict[str, Any]) -> None:
        self._add_state(param, "exp_avg")
        self._add_state(param, "exp_avg_sq")
        self._add_state(param, "step", initializer=0.0)

    def _update(self, param: Parameter, grad: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        if group["weight_decay"] != 0.0:
            grad = grad + param * group["weight_decay"]
        put(param, param - adam_direction(grad, state, group) * group["lr"])
