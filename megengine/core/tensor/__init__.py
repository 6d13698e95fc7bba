"""Here for the path of :mod:`megengine.core.tensor.dtype`."""

from ..._help.public import public_names

__dir__ = public_names(globals())
