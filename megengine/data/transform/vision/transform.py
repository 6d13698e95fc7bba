"""The vision transforms, under the module's name in MegEngine."""

from __future__ import annotations

from .colour import BrightnessTransform, GaussianNoise, Lighting, Normalize
from .compose import Compose, TorchTransformCompose
from .crop import CenterCrop, RandomCrop, RandomResizedCrop
from .geometry import Pad, RandomHorizontalFlip, RandomVerticalFlip, ToMode
from .jitter import ColorJitter, ContrastTransform, HueTransform, SaturationTransform
from .meta_vision import VisionTransform
from .resize import RandomResize, Resize, ShortestEdgeResize

__all__ = [
    "VisionTransform",
    "ToMode",
    "Compose",
    "TorchTransformCompose",
    "Pad",
    "Resize",
    "ShortestEdgeResize",
    "RandomResize",
    "RandomCrop",
    "RandomResizedCrop",
    "CenterCrop",
    "RandomHorizontalFlip",
    "RandomVerticalFlip",
    "Normalize",
    "GaussianNoise",
    "BrightnessTransform",
    "SaturationTransform",
    "ContrastTransform",
    "HueTransform",
    "ColorJitter",
    "Lighting",
]
