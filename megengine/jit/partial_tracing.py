"""``partial_trace``: MegEngine's way to compile a part of a training step, forward and backward."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["partial_trace"]


def partial_trace(
    func: Callable[..., Any] | None = None, *, backend: str = "default", without_host: bool = True, **trace_options: Any
) -> Callable[..., Any]:
    """The function as it is: what it records is compiled with the step that it is a part of, as everything is.

    Args:
        func: the function; without it, ``partial_trace(...)`` is a decorator.
        backend: ``"default"`` or ``"xla"``.
        without_host, trace_options: accepted for compatibility.

    Raises:
        AssertionError: another backend, or ``without_host=False``.

    Example:
        >>> @megengine.jit.partial_trace(backend="xla")
        ... def double(x):
        ...     return x * 2
        >>> double(Tensor([1.0, 2.0]))
        Tensor([2. 4.], device=xpux:0)
    """
    if backend not in ("default", "xla"):
        raise AssertionError(f"partial_trace(backend={backend!r}): write default or xla")
    if not without_host:
        raise AssertionError("partial_trace only supports without_host=True")

    def wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return call

    return wrapper if func is None else wrapper(func)
