"""Concatenation for quantization-aware training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from ...tensor import Tensor
from .. import concat as Float
from .module import QATModule


class Concat(Float.Concat, QATModule):
    """:class:`megengine.module.Concat` for quantization-aware training.

    Example:
        >>> layer = megengine.module.qat.Concat()
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer([Tensor([0.26]), Tensor([12.75])]).numpy().round(2)
        array([ 0.3, 12.7], dtype=float32)
    """

    def forward(self, inps: Iterable[Tensor], axis: int = 0) -> Tensor:
        return self.apply_quant_activation(super().forward(inps, axis))

    @classmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """What a :class:`megengine.module.Concat` becomes."""
        return cls(name=float_module.name)
