"""Functions that run without recording: :class:`trace`."""

from ..graph.errors import TraceError
from .tracing import exclude_from_trace, trace

__all__ = ["TraceError", "exclude_from_trace", "trace"]
