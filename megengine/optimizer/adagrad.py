"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..graph.apply import apply
from ..ops import optimize
from ..tensor import Parameter, Tensor
from .parameterwise import Option, ParameterwiseOptimizer


class Adagrad(ParameterwiseOptimizer):
    """Adagrad: divides the gradient by the root of the sum of its squares so far.

    With g the gradient plus ``weight_decay`` times the parameter: s = s + g^2; the parameter decreases by
    lr / (1 + (t - 1) lr_decay) g / sqrt(s + eps) in step t. From Duchi et al., Adaptive subgradient methods for online learning
    and stochastic optimization, 2011.

    Args:
        params: the parameters, or groups of them.
        lr: learning rate. Default: 0.01
        lr_decay: how fast the learning rate falls. Default: 0
        eps: added under the root. Default: 1e-10
        weight_decay: factor of the L2 penalty. Default: 0

    Raises:
        AssertionError: a number is negative (also a ValueError).

    Example:
        >>> param = megengine.Parameter([1.0])
        >>> param.grad = Tensor([4.0])
        >>> optimizer = megengine.optimizer.Adagrad([param], lr=0.5).step()
        >>> param.numpy()
        array([0.5], dtype=float32)
    """

    _options = {
        "lr": Option("learning rate"),
        "lr_decay": Option("learning rate decay"),
        "eps": Option("epsilon value"),
        "weight_decay": Option("weight_decay value"),
    }
    _state_at_start = {"square_avg": None, "step": 0.0}

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay})

    def _update(self, param: Parameter, grad: Tensor, state: tuple[Tensor, ...], options: dict[str, Any]) -> Any:
        decay = options["weight_decay"]
        numbers = options["lr"], decay, options["lr_decay"], options["eps"]
        return apply(optimize.adagrad, param, grad, *state, *numbers, decays=decay != 0.0)
