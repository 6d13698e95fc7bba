"""Adam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..graph.apply import apply
from ..ops import optimize
from ..tensor import Parameter, Tensor
from .parameterwise import Option, ParameterwiseOptimizer


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

    _options = {
        "lr": Option("learning rate"),
        "weight_decay": Option("weight_decay value"),
        "betas": Option("beta parameter", below=1, pair=True),
        "eps": Option("epsilon value"),
    }
    _state_at_start = {"exp_avg": None, "exp_avg_sq": None, "step": 0.0}
    _rule = optimize.adam

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps})

    def _update(self, param: Parameter, grad: Tensor, state: tuple[Tensor, ...], options: dict[str, Any]) -> Any:
        decay, (beta0, beta1) = options["weight_decay"], options["betas"]
        numbers = options["lr"], decay, beta0, beta1, options["eps"]
        return apply(self._rule, param, grad, *state, *numbers, decays=decay != 0.0)
