"""Command-line tools: ``mge`` and what stands behind it."""

from .._help.public import public_names

__dir__ = public_names(globals())
