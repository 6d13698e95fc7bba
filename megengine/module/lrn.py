"""Local response normalisation."""

from __future__ import annotations

from typing import Any

from .._help.ranges import within
from ..functional import local_response_norm
from ..tensor import Tensor
from .module import Module


class LocalResponseNorm(Module):
    """Local response normalisation across channels, see :func:`~megengine.functional.nn.local_response_norm`.

    ``x / (k + alpha * sum(x ** 2)) ** beta``, summed over ``kernel_size`` channels around its own.

    Args:
        kernel_size: how many channels. Default: 5
        k: added to the sum. Default: 2
        alpha: factor of the sum. Default: 1e-4
        beta: exponent. Default: 0.75

    Example:
        >>> M.LocalResponseNorm(3, k=0.0, alpha=2.0, beta=0.5)(Tensor(np.ones((1, 2, 1, 1), "float32"))).flatten()
        Tensor([0.5 0.5], device=xpux:0)
    """

    def __init__(
        self, kernel_size: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = within("kernel_size", kernel_size, 1)
        self.k = within("k", k)
        self.alpha = within("alpha", alpha)
        self.beta = within("beta", beta)

    def forward(self, inp: Tensor) -> Tensor:
        return local_response_norm(inp, self.kernel_size, self.k, self.alpha, self.beta)
