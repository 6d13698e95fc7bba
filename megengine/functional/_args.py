"""Checks that several functions share."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.errors import ArgumentError
from ..graph.host_data import as_constant
from ..graph.scalars import interned
from ..tensor import Tensor


def require_tensor(x: Any, name: str) -> None:
    """Refuse what is not a tensor.

    Raises:
        ArgumentError: naming the argument and its type.
    """
    if not isinstance(x, Tensor):
        raise ArgumentError(f"{name} must be a Tensor, not {type(x).__name__}")


def tensor_of(x: Any) -> Any:
    """A tensor, or an array, which has what functions ask of one.

    Raises:
        ArgumentError: something else.
    """
    if isinstance(x, Tensor | np.ndarray):
        return x
    hint = ": make one of it with Tensor(...)" if isinstance(x, int | float | list | tuple) else ""
    raise ArgumentError(f"the input must be a Tensor, not {type(x).__name__}{hint}")


def index_of(x: Any) -> Tensor:
    """Indices as a tensor, which may be given as an array or a list.

    Raises:
        ArgumentError: None, or no numbers.
    """
    return x if isinstance(x, Tensor) else as_constant(x)  # type: ignore[return-value]


def vector_of(x: Any) -> Any:
    """What ``tensor_of`` gives; a scalar as a vector of one element, which it counts as in the reference."""
    x = tensor_of(x)
    return x if x.ndim else x.reshape(1)


def plain(x: Any) -> Any:
    """A number of NumPy's as Python's, which schedules made by ``numpy.linspace`` give; everything else as it is."""
    return x.item() if isinstance(x, np.generic) else x


def setting(x: Any) -> Any:
    """A number that layers are made with: a graph has it once for all that have the same; everything else as :func:`plain`."""
    number = plain(x)
    return interned(number) if type(number) is float and number else number  # zeros have signs


def check_reduction(reduction: str) -> None:
    """Refuse what is no way to reduce losses."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction={reduction!r}: write mean, sum or none")
