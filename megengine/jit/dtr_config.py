"""Where MegEngine defines :class:`~megengine.jit.DTRConfig`; programs import it from here, too."""

from .._help.public import public_names
from .config import DTRConfig

__all__ = ["DTRConfig"]

__dir__ = public_names(globals())
