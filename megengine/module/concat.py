"""Concatenation as a module."""

from __future__ import annotations

from collections.abc import Iterable

from ..functional import concat
from ..tensor import Tensor
from .module import Module


class Concat(Module):
    """Concatenation along an axis, see :func:`megengine.functional.concat`.

    Example:
        >>> M.Concat()([Tensor([1.0]), Tensor([2.0])]).numpy()
        array([1., 2.], dtype=float32)
    """

    def forward(self, inps: Iterable[Tensor], axis: int = 0) -> Tensor:
        return concat(list(inps), axis)
