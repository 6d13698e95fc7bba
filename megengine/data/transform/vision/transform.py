"""The vision transforms that need nothing but NumPy, and how they are composed."""

from __future__ import annotations

from .colour import BrightnessTransform, GaussianNoise, Lighting, Normalize
from .compose import Compose
from .geometry import CenterCrop, RandomHorizontalFlip, RandomVerticalFlip, ToMode
from .meta_vision import VisionTransform

__all__ = [
    "VisionTransform",
    "ToMode",
    "Compose",
    "CenterCrop",
    "RandomHorizontalFlip",
    "RandomVerticalFlip",
    "Normalize",
    "GaussianNoise",
    "BrightnessTransform",
    "Lighting",
]
