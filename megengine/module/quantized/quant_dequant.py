"""To quantised tensors and back."""

from __future__ import annotations

from typing import Any, Self

from ...tensor import Tensor
from .module import QuantizedModule


class QuantStub(QuantizedModule):
    """Quantises a model's input.

    Args:
        dtype: the quantised dtype.

    Example:
        >>> from megengine.core.tensor.dtype import qint8
        >>> stub = megengine.module.quantized.QuantStub(qint8(0.1))
        >>> stub.eval()
        >>> stub(Tensor([0.26, 99.0])).numpy()
        array([  3, 127], dtype=int8)
    """

    def __init__(self, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_dtype = dtype

    def forward(self, inp: Tensor) -> Tensor:
        return inp.astype(self.output_dtype)

    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """What a :class:`megengine.module.qat.QuantStub` becomes."""
        return cls(qat_module.get_activation_dtype(), name=qat_module.name)


class DequantStub(QuantizedModule):
    """Gives the real numbers, float32, that a quantised tensor stands for.

    Example:
        >>> from megengine.core.tensor.dtype import qint8
        >>> stub = megengine.module.quantized.DequantStub()
        >>> stub.eval()
        >>> stub(Tensor([0.26]).astype(qint8(0.5)))
        Tensor([0.5], device=xpux:0)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return inp.astype("float32")

    @classmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """What a :class:`megengine.module.qat.DequantStub` becomes."""
        return cls(name=qat_module.name)
