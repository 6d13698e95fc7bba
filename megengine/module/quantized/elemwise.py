"""Element-wise operators of quantised tensors."""

from __future__ import annotations

from typing import Any, Self

from ...functional import _modes
from ...tensor import Tensor
from .module import QuantizedModule


class Elemwise(QuantizedModule):
    """:class:`megengine.module.Elemwise` of quantised tensors, each with a scale of its own.

    Args:
        method: the operator, as :class:`megengine.module.Elemwise` names it.
        dtype: quantised dtype of the result.

    Example:
        >>> from megengine.core.tensor.dtype import qint8
        >>> layer = megengine.module.quantized.Elemwise("add", qint8(1.0))
        >>> layer.eval()
        >>> layer(Tensor([2.0]).astype(qint8(0.5)), Tensor([3.0]).astype(qint8(0.25))).numpy()
        array([5], dtype=int8)
    """

    def __init__(self, method: str, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.method = "q" + method
        self.output_dtype = dtype

    def forward(self, *inps: Tensor) -> Tensor:
        if self.training:
            raise ValueError("quantized module only support inference.")
        return _modes.call_quantized(self.method, self.output_dtype, *inps)

    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """What a :class:`megengine.module.qat.Elemwise` becomes."""
        return cls(qat_module.method, qat_module.get_activation_dtype(), name=qat_module.name)
