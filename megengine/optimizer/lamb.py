"""LAMB, and the same for float16 parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..graph.apply import apply
from ..ops import optimize
from ..tensor import Parameter, Tensor
from .parameterwise import Option, ParameterwiseOptimizer


class LAMB(ParameterwiseOptimizer):
    r"""LAMB: Adam's direction, with a length in proportion to that of the parameter; for large batches.

    With m and v the running averages of the gradient and of its square as in :class:`Adam`, bias-corrected, and p the
    parameter: u = m / (sqrt(v) + eps) + weight_decay p; p decreases by lr (\|p\| / \|u\|) u, where a ratio of which one length
    is zero counts as 1. From You et al., Large batch optimization for deep learning: training BERT in 76 minutes, 2019.

    Args:
        params: the parameters, or groups of them.
        lr: learning rate.
        betas: fractions of the two averages that are kept. Default: (0.9, 0.999)
        eps: added to the divisor. Default: 1e-8
        bias_correction: whether the averages are corrected for starting from zero. Default: True
        weight_decay: factor of the decay. Default: 0
        always_adapt: whether lengths count for groups without weight decay too; else their step is lr u. Default: False

    Raises:
        ValueError: a number is negative, or a beta is not below 1.

    Example:
        >>> param = megengine.Parameter([3.0, 4.0])
        >>> param.grad = Tensor([1.0, 0.0])
        >>> optimizer = megengine.optimizer.LAMB([param], lr=0.1, always_adapt=True).step()
        >>> param.numpy()
        array([2.5, 4. ], dtype=float32)
    """

    _options = {
        "lr": Option("learning rate"),
        "weight_decay": Option("weight_decay value"),
        "betas": Option("beta parameter", below=1, pair=True),
        "eps": Option("epsilon value"),
    }
    _state_at_start: ClassVar[Mapping[str, Any]] = {"exp_avg": None, "exp_avg_sq": None, "step": 0.0}
    _rule = optimize.lamb

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        bias_correction: bool = True,
        weight_decay: float = 0.0,
        always_adapt: bool = False,
    ) -> None:
        self.bias_correction = bias_correction
        self.always_adapt = always_adapt
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps})

    def _update(self, param: Parameter, grad: Tensor, state: tuple[Tensor, ...], options: dict[str, Any]) -> Any:
        decay, (beta0, beta1) = options["weight_decay"], options["betas"]
        attrs = {
            "decays": decay != 0.0,
            "corrects": bool(self.bias_correction),
            "adapts": bool(self.always_adapt or decay > 0.0),
        }
        numbers = options["lr"], decay, beta0, beta1, options["eps"]
        return apply(self._rule, param, grad, *state, *numbers, **attrs)


def _as_float32(param: Parameter) -> Tensor:
    return param.detach().astype("float32")


class LAMBFp16(LAMB):
    """:class:`LAMB` for parameters of float16 or bfloat16, which are rounded from float32 ones kept as state.

    Args:
        params: the parameters, or groups of them.
        lr: learning rate.
        betas: fractions of the two averages that are kept. Default: (0.9, 0.999)
        eps: added to the divisor. Default: 1e-8
        bias_correction: whether the averages are corrected for starting from zero. Default: True
        weight_decay: factor of the decay. Default: 0
        always_adapt: whether lengths count for groups without weight decay too. Default: False

    Raises:
        ValueError: a number is negative, or a beta is not below 1.

    Example:
        >>> param = megengine.Parameter(np.array([1.0], "float16"))
        >>> optimizer = megengine.optimizer.LAMBFp16([param], lr=1e-4)
        >>> for _ in range(4):
        ...     param.grad = Tensor(np.array([1.0], "float16"))
        ...     optimizer.step().clear_grad()
        >>> param.numpy(), np.round(optimizer.state_dict()["state"][0]["param_fp32"], 4)
        (array([0.9995], dtype=float16), array([0.9996], dtype=float32))
    """

    _state_at_start = {**LAMB._state_at_start, "param_fp32": _as_float32}
    _rule = optimize.lamb_mixed
