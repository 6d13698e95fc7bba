"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..graph.apply import apply
from ..ops import optimize
from ..tensor import Parameter, Tensor
from .parameterwise import Option, ParameterwiseOptimizer


class Adadelta(ParameterwiseOptimizer):
    """Adadelta: scales the gradient by the root of a running average of squared updates over one of squared gradients.

    With g the gradient plus ``weight_decay`` times the parameter: s = rho s + (1 - rho) g^2; d = g sqrt(a + eps) / sqrt(s + eps);
    a = rho a + (1 - rho) d^2; the parameter decreases by lr d. From Zeiler, ADADELTA: an adaptive learning rate method, 2012.

    Args:
        params: the parameters, or groups of them.
        lr: factor of the update. Default: 1
        rho: fraction of the averages that is kept, 0 to 1. Default: 0.9
        eps: added under the roots. Default: 1e-6
        weight_decay: factor of the L2 penalty. Default: 0

    Raises:
        AssertionError: a number is out of its range (also a ValueError).

    Example:
        >>> param = megengine.Parameter([1.0])
        >>> param.grad = Tensor([3.0])
        >>> optimizer = megengine.optimizer.Adadelta([param], rho=0.0, eps=1.0).step()
        >>> round(float(param), 4) == round(1 - 3 / 10 ** 0.5, 4)
        True
    """

    _options = {
        "lr": Option("learning rate"),
        "rho": Option("rho value", most=1),
        "eps": Option("epsilon value"),
        "weight_decay": Option("weight_decay value"),
    }
    _state_at_start = {"square_avg": None, "acc_delta": None, "step": 0.0}

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay})

    def _update(self, param: Parameter, grad: Tensor, state: tuple[Tensor, ...], options: dict[str, Any]) -> Any:
        decay = options["weight_decay"]
        numbers = options["lr"], decay, options["rho"], options["eps"]
        return apply(optimize.adadelta, param, grad, *state, *numbers, decays=decay != 0.0)
