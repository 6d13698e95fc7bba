"""Where :class:`~megengine.autodiff.Function` was before it was public; custom operations still import it from here."""

from ...autodiff.function import Function

__all__ = ["Function"]
