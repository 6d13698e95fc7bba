"""What JAX computes with in this thread, which an interrupt amid one of its operations takes away.

JAX sets its current trace aside for each operation, by a few instructions of Python that nothing guards. An interrupt among
them leaves none, and every later operation of the thread fails: ``'NoneType' object has no attribute 'process_primitive'``.
"""

from __future__ import annotations

from typing import Any

_current: Any
try:
    from jax._src.core import eval_trace
    from jax._src.core import trace_ctx as _current
except ImportError:  # another version of JAX, which may not have this fault
    _current = None


def restore() -> None:
    """Give JAX its trace for operations that are computed at once, if it has none."""
    if _current is not None and _current.trace is None:
        _current.set_trace(eval_trace)
