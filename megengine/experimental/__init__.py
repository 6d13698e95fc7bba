"""What MegEngine keeps apart, since it may change."""

from .._help.public import public_names

__dir__ = public_names(globals())
