"""MegEngine's operators where its compiled module has them; see :mod:`megengine.core.ops.builtin`."""

from ..ops.builtin import *  # noqa: F403 - all of them
