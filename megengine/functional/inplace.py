"""Updates in place, as optimizers that programs define on their own call them."""

from __future__ import annotations

from ..tensor import Tensor
from ._args import require_tensor

__all__: list[str] = []


def _inplace_add_(dest: Tensor, delta: Tensor, alpha: Tensor | float, beta: Tensor | float) -> Tensor:
    r"""Make ``dest`` :math:`\alpha \cdot dest + \beta \cdot delta`, and return it.

    Example:
        >>> from megengine.functional.inplace import _inplace_add_
        >>> w = megengine.Parameter([1.0, 2.0])
        >>> _inplace_add_(w, Tensor([10.0, 20.0]), alpha=1.0, beta=-0.1)
        Parameter([0. 0.], device=xpux:0)
    """
    require_tensor(dest, "_inplace_add_: dest")
    require_tensor(delta, "_inplace_add_: delta")
    dest._reset(dest * alpha + delta * beta)
    return dest
