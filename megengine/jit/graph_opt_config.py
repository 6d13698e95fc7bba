"""Where MegEngine defines :class:`~megengine.jit.GraphOptimizationConfig`; programs import it from here, too."""

from .config import GraphOptimizationConfig

__all__ = ["GraphOptimizationConfig"]
