"""Padding as a module."""

from __future__ import annotations

from ..functional._settings import padding
from ..functional.nn import pad
from ..tensor import Tensor
from .module import Module


class Pad(Module):
    """Padding of a tensor's dimensions, see :func:`~megengine.functional.nn.pad`.

    Args:
        pad_width: for each dimension from the first on, how many elements before and after.
        mode: ``"constant"``; ``"replicate"`` (or ``"edge"``) repeats the outermost element; ``"reflect"`` mirrors at it.
        constant_val: the number added in mode constant. Default: 0

    Raises:
        AssertionError: another mode.
        RuntimeError: a negative width, or something else than pairs.

    Example:
        >>> M.Pad(((1, 2),), constant_val=9.0)(Tensor([1.0, 2.0]))
        Tensor([9. 1. 2. 9. 9.], device=xpux:0)
    """

    def __init__(
        self, pad_width: tuple[tuple[int, int], ...], mode: str = "constant", constant_val: float = 0.0
    ) -> None:
        super().__init__()
        padding(pad_width, mode)  # so that a mistake is told here
        self.pad_width = pad_width
        self.mode = mode
        self.pad_val = constant_val

    def forward(self, src: Tensor) -> Tensor:
        return pad(src, pad_width=self.pad_width, mode=self.mode, constant_value=self.pad_val)
