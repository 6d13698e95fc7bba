"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..graph.apply import apply
from ..ops import optimize
from ..tensor import Parameter, Tensor
from .parameterwise import HyperparameterError, Option, ParameterwiseOptimizer


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

    _options = {
        "lr": Option("learning rate"),
        "momentum": Option("momentum value"),
        "weight_decay": Option("weight_decay value"),
    }
    _state_at_start = {"momentum_buffer": None}

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        if nesterov and momentum == 0:
            raise HyperparameterError("Nesterov momentum requires a momentum")
        self.nesterov = nesterov
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def _create_state(self, param_group: dict[str, Any]) -> None:
        if param_group["momentum"] != 0.0:
            super()._create_state(param_group)

    def _state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if options["momentum"] != 0.0 else ()

    def _without_state(self, param: Parameter) -> dict[str, Tensor]:
        self._init_state(param)  # the user set a momentum after the first steps
        return self._state[param]

    def _update(self, param: Parameter, grad: Tensor, state: tuple[Tensor, ...], options: dict[str, Any]) -> Any:
        lr, momentum, decay = options["lr"], options["momentum"], options["weight_decay"]
        if not state:
            return apply(optimize.sgd, param, grad, lr, decay, decays=decay != 0.0)
        return apply(
            optimize.sgd_momentum,
            param,
            grad,
            state[0],
            lr,
            decay,
            momentum,
            decays=decay != 0.0,
            nesterov=self.nesterov,
        )
