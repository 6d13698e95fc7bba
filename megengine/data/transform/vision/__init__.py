"""Transforms of images and of what is annotated on them."""

from __future__ import annotations

from .transform import *
from .transform import __all__ as __all__
