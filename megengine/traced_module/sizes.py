"""Computations with sizes alone, such as ``x.shape[0] // 2``: done on the host at once, and no part of what is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .methods import METHODS, dunders

__all__ = ["computed", "of_shape"]

_OTHERS = "neg pos abs getitem lt le gt ge eq ne"
_NAMED = "astype reshape flatten sum prod min max"
_METHODS = {
    m for m in METHODS if m.strip("_").removeprefix("r") in ("add", "sub", "mul", "floordiv", "mod", "truediv", "pow")
}
_METHODS.update(dunders(_OTHERS), _NAMED.split())
_NAME = "_sizes"


def _made(array: np.ndarray) -> Tensor:
    tensor = Tensor(array)
    tensor.__dict__[_NAME] = array
    return tensor


def of_shape(shape: tuple[int, ...]) -> Tensor:
    """The tensor of a shape."""
    return _made(np.asarray(shape, np.int32))


def _array(value: Any) -> Any:
    """What NumPy computes with; None for what is no size."""
    if isinstance(value, Tensor):
        return value.__dict__.get(_NAME)
    plain = isinstance(value, (int, float, slice, str, np.ndarray, np.generic, np.dtype, type(Ellipsis)))
    if isinstance(value, tuple):
        items = [_array(item) for item in value]
        return None if any(item is None for item in items) else tuple(items)
    return value if plain else None


def computed(method: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The result of a method of a tensor that holds sizes; None where it does not, or has to be computed as others are.

    Args:
        method: its name.
        target: the tensor.
        args: positional arguments.
        kwargs: keyword arguments.
    """
    array = _array(target)
    if array is None or method not in _METHODS or kwargs:
        if array is not None and method == "__setitem__":
            del target.__dict__[_NAME]
        return None
    others = [_array(arg) for arg in args]
    if any(other is None for other in others):
        return None
    result = getattr(np.asarray(array), method)(*others)
    return None if result is NotImplemented else _made(np.asarray(result))
