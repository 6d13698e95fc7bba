"""The base of layers of integers."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

from ...tensor import Parameter, Tensor
from ..module import Module


class QuantizedModule(Module):
    """Base of layers that take and give quantised tensors, for inference only.

    Raises:
        ValueError: called while training: call ``eval()`` first.

    Example:
        >>> from megengine.core.tensor.dtype import qint8
        >>> stub = megengine.module.quantized.QuantStub(qint8(0.5))
        >>> stub.eval()
        >>> stub(Tensor([1.2, -0.4])).numpy()
        array([ 2, -1], dtype=int8)
    """

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        if self.training:
            raise ValueError("quantized module only support inference.")
        return super().__call__(*inputs, **kwargs)

    def __repr__(self) -> str:
        return "Quantized." + super().__repr__()

    @classmethod
    @abstractmethod
    def from_qat_module(cls, qat_module: Any) -> Self:
        """The layer of integers that one of :mod:`megengine.module.qat` becomes."""


def stored(value: Tensor, like: Tensor | None = None) -> Parameter:
    """A parameter with these numbers, in their dtype, and with the name of another."""
    return Parameter(value.numpy(), name="" if like is None else like.name)
