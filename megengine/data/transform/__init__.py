"""Transforms: what is done to samples before they are merged into a batch."""

from __future__ import annotations

from .meta_transform import PseudoTransform, Transform
from .vision import *
from .vision import __all__ as _vision

__all__ = ["Transform", "PseudoTransform", *_vision]
