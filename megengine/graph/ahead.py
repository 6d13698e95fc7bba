"""Compiling ahead of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .modes import tier


def compile(function: Callable[..., Any], *example: Any, **keywords: Any) -> Any:
    """Call a function once with everything that it runs compiled now, instead of when that has been earned.

    It is a call like any other: a training step trains. What is recorded again in the same way, which includes the shapes and
    what of the results is still referred to, starts compiled.

    Args:
        function: what to call, such as a module or a training step.
        example: its arguments.
        keywords: its keyword arguments.

    Returns:
        What the function returns.

    Example:
        >>> net = megengine.module.Linear(3, 2)
        >>> y = megengine.graph.compile(net, megengine.Tensor([[1.0, 2.0, 3.0]]))
        >>> y.shape
        (1, 2)
    """
    with tier("compiled"):
        return function(*example, **keywords)
