"""Dropout."""

from __future__ import annotations

from typing import Any

from .._help.ranges import within
from ..functional import dropout
from ..tensor import Tensor
from .module import Module


class Dropout(Module):
    """Dropout: in training zeroes elements at random and divides the others by ``1 - drop_prob``; in evaluation the identity.

    Args:
        drop_prob: probability of zero, at least 0 and below 1. Default: 0

    Raises:
        ValueError: a probability below 0 or above 1; in training also 1.

    Example:
        >>> drop = M.Dropout(0.5)
        >>> sorted(set(drop(Tensor(np.ones(100, "float32"))).numpy().tolist()))
        [0.0, 2.0]
        >>> drop.eval()
        >>> drop(Tensor([1.0, 2.0])).numpy()
        array([1., 2.], dtype=float32)
    """

    def __init__(self, drop_prob: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drop_prob = within("drop_prob", drop_prob, 0, 1)  # 1 serves in evaluation

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            return dropout(inputs, self.drop_prob, training=True)
        return inputs

    def _module_info_string(self) -> str:
        return f"drop_prob={self.drop_prob}"
