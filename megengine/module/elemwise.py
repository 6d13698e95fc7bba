"""Element-wise operators as modules, by MegEngine's names."""

from __future__ import annotations

from typing import Any

from ..functional import _modes
from ..tensor import Tensor
from .module import Module


class Elemwise(Module):
    """Element-wise operator, by the name it has in MegEngine's graphs.

    Args:
        method: such as ``"ADD"``, ``"MUL"``, ``"RELU"``, ``"H_SWISH"``, ``"FUSE_ADD_RELU"``; upper or lower case.

    Raises:
        ValueError: an unknown method.

    Example:
        >>> M.Elemwise("fuse_add_relu")(Tensor([-2.0, 3.0]), Tensor([1.0, 1.0])).numpy()
        array([0., 4.], dtype=float32)
    """

    def __init__(self, method: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _modes.check(method)
        self.method = method

    def forward(self, *inps: Tensor) -> Tensor:
        return _modes.call(self.method, *inps)
