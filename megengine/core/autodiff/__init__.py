"""Here for the path of :mod:`megengine.core.autodiff.grad`."""

from ..._help.public import public_names

__dir__ = public_names(globals())
