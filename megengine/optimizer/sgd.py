"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..graph.record import apply
from ..ops import optimize
from ..tensor import Parameter, Tensor
from .optimizer import HyperparameterError, ParameterwiseOptimizer, replace, require


class SGD(ParameterwiseOptimizer):
    """Stochastic gradient descent, with momentum (also Nesterov's) and weight decay on request.

    With g the gradient plus ``weight_decay`` times the parameter: v = momentum v + g; the parameter decreases by lr v, or with
    ``nesterov`` by lr (g + momentum v). Nesterov's momentum is as in Sutskever et al., On the importance of initialization and
    momentum in deep learning, 2013.

    Args:
        params: the parameters, or groups of them.
        lr: learning rate.
        momentum: fraction of the last update that is kept. Default: 0
        nesterov: look ahead along the momentum. Default: False
        weight_decay: factor of the L2 penalty. Default: 0

    Raises:
        AssertionError: a negative number, or ``nesterov`` without momentum (also a ValueError).

    Example:
        >>> param = megengine.Parameter([1.0])
        >>> optimizer = megengine.optimizer.SGD([param], lr=0.1, momentum=0.5)
        >>> for _ in range(2):
        ...     param.grad = Tensor([1.0])
        ...     optimizer.step().clear_grad()
        >>> param.numpy()
        array([0.75], dtype=float32)
    """

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        require("learning rate", lr, 0)
        require("momentum value", momentum, 0)
        require("weight_decay value", weight_decay, 0)
        if nesterov and momentum == 0:
            raise HyperparameterError("Nesterov momentum requires a momentum")
        self.nesterov = nesterov
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def _init_state(self, param: Parameter, group: dict[str, Any]) -> None:
        if group["momentum"] != 0.0:
            self._add_state(param, "momentum_buffer")

    def _update(self, param: Parameter, grad: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        momentum, decay = group["momentum"], group["weight_decay"]
        if momentum == 0.0:
            param._reset(apply(optimize.sgd, param, grad, group["lr"], decay, decays=decay != 0.0))
            return
        if "momentum_buffer" not in state:  # the user set a momentum after the first steps
            self._add_state(param, "momentum_buffer")
            state = self._state[param]
        velocity = state["momentum_buffer"]
        attrs = {"decays": decay != 0.0, "nesterov": self.nesterov}
        stepped = apply(optimize.sgd_momentum, param, grad, velocity, group["lr"], decay, momentum, **attrs)
        replace((param, velocity), stepped)
