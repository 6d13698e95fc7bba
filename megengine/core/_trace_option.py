"""Whether ``x.shape`` is a tensor: programs that dump models ask and switch that. Here shapes are tuples of ints in any case."""

from __future__ import annotations

from ..tensor.sizes import set_symbolic_shape

__all__ = ["set_symbolic_shape", "use_symbolic_shape"]


def use_symbolic_shape() -> bool:
    """Whether ``x.shape`` is a tensor: never.

    Example:
        >>> from megengine.core._trace_option import use_symbolic_shape
        >>> use_symbolic_shape()
        False
    """
    return False
