"""Here for the paths of :mod:`megengine.core.ops.builtin`."""

from ..._help.public import public_names
from . import builtin

__all__ = ["builtin"]

__dir__ = public_names(globals())
