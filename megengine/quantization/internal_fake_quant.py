"""Names that MegEngine's module of this path has."""

from functools import partial

from .. import functional as F
from ..autodiff import Function
from .observer import MinMaxObserver
from .qconfig import QConfig
from .utils import QParams

__all__ = ["F", "Function", "MinMaxObserver", "QConfig", "QParams", "partial"]
