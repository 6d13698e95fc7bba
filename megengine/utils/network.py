"""Graphs in files: read, changed and written. What is here is in :mod:`megengine.network`."""

from ..core._trace_option import set_symbolic_shape
from ..network.filters import NodeFilter, as_oprnode, as_varnode
from ..network.network import Network

__all__ = ["Network", "NodeFilter", "as_oprnode", "as_varnode", "set_symbolic_shape"]
