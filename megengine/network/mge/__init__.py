"""MegEngine's own graph files, read: both formats that its ``trace.dump`` writes.

:func:`load` makes a :class:`~megengine.graph.exchange.Model` of one. docs/graph-files.md says which operators it takes.
"""

from .container import is_mge
from .loading import load, operators_read

__all__ = ["is_mge", "load", "operators_read"]
