"""Helpers of functions that programs define on their own: scalars, shapes, and vectors from either."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._methods import axes as _axes
from ...functional import concat
from ...tensor import Tensor

__all__ = ["astensor1d", "isscalar", "make_shape_tuple"]


def isscalar(x: Any) -> bool:
    """Whether this is a number, or a tensor without dimensions.

    Example:
        >>> from megengine.core.tensor.utils import isscalar
        >>> isscalar(1.0), isscalar(Tensor(1.0)), isscalar(Tensor([1.0]))
        (True, True, False)
    """
    return x.ndim == 0 if isinstance(x, Tensor) else bool(np.isscalar(x))


def make_shape_tuple(shape: Any) -> tuple[int, ...]:
    """A shape from an int, a tensor, or a sequence of these.

    Raises:
        ArgumentError: other entries.

    Example:
        >>> from megengine.core.tensor.utils import make_shape_tuple
        >>> make_shape_tuple([2, Tensor(3)]), make_shape_tuple(Tensor([4, 5]))
        ((2, 3), (4, 5))
    """
    return tuple(_axes.as_shape(shape, "shape"))


def astensor1d(x: Any, *reference: Tensor, dtype: Any = None, device: Any = None) -> Tensor:
    """A vector from a sequence of numbers and tensors; a tensor is returned as it is.

    Args:
        x: the sequence.
        reference: tensors that decide the dtype where ``dtype`` does not, by their promotion with it.
        dtype: default that of the elements.
        device: default that of new tensors.

    Example:
        >>> from megengine.core.tensor.utils import astensor1d
        >>> astensor1d([1, Tensor(2)])
        Tensor([1 2], dtype=int32, device=xpux:0)
    """
    if isinstance(x, Tensor):
        return x
    if isinstance(x, (list, tuple)) and any(isinstance(v, Tensor) for v in x):
        parts = [v if isinstance(v, Tensor) else Tensor(v) for v in x]
        vector = concat(parts, device=device)
        return vector if dtype is None else vector.astype(dtype)
    return Tensor(x, dtype=dtype, device=device)
