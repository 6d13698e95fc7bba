"""Shapes that give themselves as an array, for programs that write ``x.shape.numpy()``: MegEngine's are tensors in a trace."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Sizes", "asked", "set_symbolic_shape"]

# An entry for each running call that asks for them, and one for the setting; both ends are atomic.
asked: list[object] = []
_set = False


class Sizes(tuple[int, ...]):
    """A shape: a tuple of ints, and as an array.

    Example:
        >>> from megengine.tensor.sizes import Sizes
        >>> Sizes((2, 3)).numpy()
        array([2, 3], dtype=int32)
    """

    __slots__ = ()

    def numpy(self) -> np.ndarray:
        """The sizes, int32 of shape ``(ndim,)``."""
        return np.array(self, np.int32)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Sizes(found) if isinstance(index, slice) else found

    def __reduce__(self) -> Any:
        return tuple, (tuple(self),)


def set_symbolic_shape(option: bool) -> bool:
    """Have shapes outside of traced functions, too, give themselves by ``numpy()``; they stay tuples of ints.

    Returns:
        what was set before, for setting it back.

    Example:
        >>> from megengine.core._trace_option import set_symbolic_shape
        >>> before = set_symbolic_shape(True)
        >>> Tensor([1.0, 2.0]).shape.numpy()
        array([2], dtype=int32)
        >>> set_symbolic_shape(before)
        True
    """
    global _set
    before, _set = _set, bool(option)
    if _set and not before:
        asked.append(None)
    elif before and not _set:
        asked.pop()
    return before
