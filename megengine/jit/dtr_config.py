"""Where MegEngine defines :class:`~megengine.jit.DTRConfig`; programs import it from here, too."""

from .config import DTRConfig

__all__ = ["DTRConfig"]
