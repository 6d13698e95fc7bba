"""Marks where a model that is to be quantised takes and gives back floating-point numbers."""

from __future__ import annotations

from ..tensor import Tensor
from .module import Module


class QuantStub(Module):
    """Identity that marks where a quantised model quantises its input.

    Example:
        >>> x = Tensor([1.0])
        >>> M.QuantStub()(x) is x
        True
    """

    def forward(self, inp: Tensor) -> Tensor:
        return inp


class DequantStub(Module):
    """Identity that marks where a quantised model goes back to floating-point numbers.

    Example:
        >>> x = Tensor([1.0])
        >>> M.DequantStub()(x) is x
        True
    """

    def forward(self, inp: Tensor) -> Tensor:
        return inp
