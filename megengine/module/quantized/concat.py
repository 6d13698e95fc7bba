"""Concatenation of quantised tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from ...functional import concat
from ...tensor import Tensor
from .module import QuantizedModule


class Concat(QuantizedModule):
    """:class:`megengine.module.Concat` of quantised tensors, each with a scale of its own.

    Args:
        dtype: quantised dtype of the result.

    Example:
        >>> from megengine.core.tensor.dtype import qint8
        >>> layer = megengine.module.quantized.Concat(qint8(1.0))
        >>> layer.eval()
        >>> layer([Tensor([2.0]).astype(qint8(0.5)), Tensor([3.0]).astype(qint8(0.25))]).numpy()
        array([2, 3], dtype=int8)
    """

    def __init__(self, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_dtype = dtype

    def forward(self, inps: Iterable[Tensor], axis: int = 0) -> Tensor:
        return concat([x.astype(self.output_dtype) for x in inps], axis)

    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """What a :class:`megengine.module.qat.Concat` becomes."""
        return cls(qat_module.get_activation_dtype(), name=qat_module.name)
