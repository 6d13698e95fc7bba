"""Here for the paths of :mod:`megengine.core.ops.builtin`."""

from . import builtin

__all__ = ["builtin"]
