"""Whether ``x.shape`` is a tensor: programs that dump models switch that. Here shapes are tuples of ints in any case."""

from __future__ import annotations

__all__ = ["set_symbolic_shape", "use_symbolic_shape"]

_asked_for = False


def use_symbolic_shape() -> bool:
    """Whether ``x.shape`` is a tensor: never.

    Example:
        >>> from megengine.core._trace_option import use_symbolic_shape
        >>> use_symbolic_shape()
        False
    """
    return False


def set_symbolic_shape(option: bool) -> bool:
    """Ask for shapes that are tensors; they stay tuples. Returns what was asked for before, for setting it back.

    Example:
        >>> from megengine.core._trace_option import set_symbolic_shape
        >>> before = set_symbolic_shape(True)
        >>> set_symbolic_shape(before)
        True
    """
    global _asked_for
    before, _asked_for = _asked_for, bool(option)
    return before
