"""Where MegEngine defines :class:`~megengine.jit.SublinearMemoryConfig`; programs import it from here, too."""

from .._help.public import public_names
from .config import SublinearMemoryConfig

__all__ = ["SublinearMemoryConfig"]

__dir__ = public_names(globals())
