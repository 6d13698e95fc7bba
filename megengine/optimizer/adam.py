"""Adam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..graph.record import apply
from ..ops import optimize
from ..tensor import Parameter, Tensor
from .optimizer import ParameterwiseOptimizer, replace, require


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

    _rule = optimize.adam

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
        held = (param, state["exp_avg"], state["exp_avg_sq"], state["step"])
        decay, (beta0, beta1) = group["weight_decay"], map(float, group["betas"])
        options = (group["lr"], decay, beta0, beta1, group["eps"])
        replace(held, apply(self._rule, param, grad, *held[1:], *options, decays=decay != 0.0))
