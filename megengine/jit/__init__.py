"""Functions that run without recording: :class:`trace`."""

from ..graph.errors import TraceError
from .config import DTRConfig, GraphOptimizationConfig, SublinearMemoryConfig
from .tracing import exclude_from_trace, trace

__all__ = ["DTRConfig", "GraphOptimizationConfig", "SublinearMemoryConfig", "TraceError", "exclude_from_trace", "trace"]
