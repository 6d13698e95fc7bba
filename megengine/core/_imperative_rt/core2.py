"""MegEngine's compiled module. Programs take from it the tensors' base class for ``isinstance``, the wait for all computations
when they measure time, and the interpreter's switches."""

from ...graph.run import full_sync
from ...tensor import Tensor
from .. import get_option, set_option

__all__ = ["Tensor", "full_sync", "get_option", "set_option", "sync"]

sync = full_sync
