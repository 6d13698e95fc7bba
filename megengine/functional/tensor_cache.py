"""Scalars that MegEngine's functions, and copies of them, share between calls."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..tensor import Tensor

__all__ = ["get_scalar_one", "get_scalar_two", "get_scalar_zero", "get_scalar_zero_point_five"]


def _get_scalar_tensor_with_value(value: float, dtype: Any = None, device: Any = None) -> Tensor:
    """A scalar tensor. A new one each time: it costs nothing, and nobody can change another's.

    Example:
        >>> from megengine.functional.tensor_cache import get_scalar_one
        >>> get_scalar_one("float32")
        Tensor(1.0, device=xpux:0)
    """
    return Tensor(value, dtype=dtype, device=device)


get_scalar_zero = partial(_get_scalar_tensor_with_value, 0)
get_scalar_zero_point_five = partial(_get_scalar_tensor_with_value, 0.5)
get_scalar_one = partial(_get_scalar_tensor_with_value, 1)
get_scalar_two = partial(_get_scalar_tensor_with_value, 2)
