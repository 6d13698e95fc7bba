"""Checks that several functions share."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor


def require_tensor(x: Any, name: str) -> None:
    """Refuse what is not a tensor.

    Raises:
        TypeError: naming the argument and its type.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a Tensor, not {type(x).__name__}")


def plural(count: int, noun: str) -> str:
    """``1 dimension``, ``2 dimensions``."""
    return f"{count} {noun}{'s' * (count != 1)}"
