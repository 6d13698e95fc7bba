"""Where MegEngine defines :class:`~megengine.jit.SublinearMemoryConfig`; programs import it from here, too."""

from .config import SublinearMemoryConfig

__all__ = ["SublinearMemoryConfig"]
