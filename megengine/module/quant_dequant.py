"""Marks where a model that is to be quantised takes and gives back floating-point numbers."""

from __future__ import annotations

from ..tensor import Tensor
from .module import Module


class QuantStub(Module):
    """Returns its input; in a quantised model, what takes its place quantises it.

    Example:
        >>> x = Tensor([1.0])
        >>> M.QuantStub()(x) is x
        True
    """

    def forward(self, inp: Tensor) -> Tensor:
        return inp


class DequantStub(Module):
    """Returns its input; in a quantised model, what takes its place makes floating-point numbers of it.

    Example:
        >>> x = Tensor([1.0])
        >>> M.DequantStub()(x) is x
        True
    """

    def forward(self, inp: Tensor) -> Tensor:
        return inp
