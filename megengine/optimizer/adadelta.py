"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..graph.record import apply
from ..ops import optimize
from ..tensor import Parameter, Tensor
from .optimizer import ParameterwiseOptimizer, replace, require


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

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        require("learning rate", lr, 0)
        require("rho value", rho, 0, 1)
        require("epsilon value", eps, 0)
        require("weight_decay value", weight_decay, 0)
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay})

    def _init_state(self, param: Parameter, group: dict[str, Any]) -> None:
        self._add_state(param, "square_avg")
        self._add_state(param, "acc_delta")
        self._add_state(param, "step", initializer=0.0)

    def _update(self, param: Parameter, grad: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        held = (param, state["square_avg"], state["acc_delta"], state["step"])
        decay = group["weight_decay"]
        options = (group["lr"], decay, group["rho"], group["eps"])
        replace(held, apply(optimize.adadelta, param, grad, *held[1:], *options, decays=decay != 0.0))
