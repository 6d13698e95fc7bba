"""``xla_trace``: MegEngine's trace that compiles with XLA, which here everything does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tracing import trace

__all__ = ["xla_trace"]


class xla_trace(trace):
    """:class:`~megengine.jit.trace` with ``without_host=True``.

    Raises:
        AssertionError: ``without_host=False`` or ``symbolic_shape=True``.

    Example:
        >>> @megengine.jit.xla_trace(capture_as_const=True)
        ... def double(x):
        ...     return x * 2
        >>> double(Tensor([1.0, 2.0]))
        Tensor([2. 4.], device=xpux:0)
    """

    def __init__(
        self, function: Callable[..., Any], *, without_host: bool = True, symbolic_shape: bool = False, **settings: Any
    ) -> None:
        if not without_host:
            raise AssertionError("xla_trace only supports without_host=True")
        if symbolic_shape:
            raise AssertionError("xla_trace does not support symbolic_shape=True")
        super().__init__(function, without_host=True, symbolic_shape=False, **settings)
