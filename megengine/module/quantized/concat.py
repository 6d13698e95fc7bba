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
