"""An array in one of two layouts, or both: the order of its dimensions, and its channels behind the sizes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


class Laid:
    """An array ``(N, C, *sizes)`` that is also ``(N, *sizes, C)``; what is asked for is made when it is first needed.

    Args:
        front: the array in the order of its dimensions.
        behind: with dimension 1 behind the others; one of both is given.
        free: whether moving it costs nothing, since XLA makes it where it is read: what is broadcast.

    Attributes:
        channels: of what is the same all over each channel, the numbers of the channels, where they are known.
        kept: of an argument that programs may keep something for, the numbers of all of these, and which is its own.
    """

    __slots__ = ("_front", "_behind", "free", "shape", "dtype", "channels", "kept")

    def __init__(self, front: Any = None, *, behind: Any = None, free: bool = False) -> None:
        self._front, self._behind, self.free = front, behind, free
        self.shape: tuple[int, ...] = moved_back(jnp.shape(behind)) if front is None else jnp.shape(front)
        self.dtype = jnp.result_type(behind if front is None else front)
        self.channels: Any = None
        self.kept: tuple[Any, int] | None = None

    def settle(self) -> None:
        """Compute what has waited until now."""

    @property
    def front(self) -> Any:
        """In the order of its dimensions."""
        self.settle()
        if self._front is None:
            self._front = jnp.moveaxis(self._behind, -1, 1)
        return self._front

    @property
    def behind(self) -> Any:
        """With the channels behind."""
        self.settle()
        if self._behind is None:
            self._behind = jnp.moveaxis(self._front, 1, -1)
        return self._behind

    @property
    def is_behind(self) -> bool:
        """Whether it is in that layout so far and in no other."""
        self.settle()
        return self._front is None

    def moves(self, behind: bool) -> int:
        """How many bytes have to be moved for a layout."""
        self.settle()
        there = self._behind if behind else self._front
        return 0 if there is not None or self.free else jnp.size(self._front if behind else self._behind)


def moved(values: Any) -> tuple[Any, ...]:
    """One value a dimension, ``(n, c, *sizes)``, as ``(n, *sizes, c)``."""
    return (values[0], *values[2:], values[1])


def moved_back(values: Any) -> tuple[Any, ...]:
    """The inverse of :func:`moved`."""
    return (values[0], values[-1], *values[1:-1])


def place(axis: int, dimensions: int) -> int:
    """Where a dimension of an array is when its channels are behind."""
    return axis if axis == 0 else dimensions - 1 if axis == 1 else axis - 1
