"""Where MegEngine defines :class:`~megengine.jit.GraphOptimizationConfig`; programs import it from here, too."""

from .._help.public import public_names
from .config import GraphOptimizationConfig

__all__ = ["GraphOptimizationConfig"]

__dir__ = public_names(globals())
