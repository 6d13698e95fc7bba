"""Functions that run without recording: :class:`trace`."""

from ..graph.errors import TraceError
from .config import DTRConfig, GraphOptimizationConfig, SublinearMemoryConfig
from .partial_tracing import partial_trace
from .tracing import exclude_from_trace, trace
from .xla_backend import xla_trace

__all__ = [
    "DTRConfig", "GraphOptimizationConfig", "SublinearMemoryConfig", "TraceError", "exclude_from_trace", "partial_trace",
    "trace", "xla_trace",
]  # fmt: skip
