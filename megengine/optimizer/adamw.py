"""Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..ops import optimize
from ..tensor import Parameter
from .adam import Adam


class AdamW(Adam):
    """Adam whose weight decay acts on the parameter directly, not through the running averages.

    The parameter decreases by lr times the sum of Adam's direction and ``weight_decay`` times the parameter. From Loshchilov and
    Hutter, Decoupled weight decay regularization, 2017.

    Args:
        params: the parameters, or groups of them.
        lr: learning rate.
        betas: fractions of the two averages that are kept. Default: (0.9, 0.999)
        eps: added to the divisor. Default: 1e-8
        weight_decay: factor of the decay. Default: 0.01

    Raises:
        ValueError: a number is negative, or a beta is not below 1.

    Example:
        >>> param = megengine.Parameter([1.0])
        >>> param.grad = Tensor([4.0])
        >>> optimizer = megengine.optimizer.AdamW([param], lr=0.5, weight_decay=0.5).step()
        >>> param.numpy()
        array([0.25], dtype=float32)
    """

    _rule = optimize.adamw

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
