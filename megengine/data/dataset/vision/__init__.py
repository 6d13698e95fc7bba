"""Datasets of images."""

from __future__ import annotations

from .fashion_mnist import FashionMNIST
from .meta_vision import VisionDataset
from .mnist import MNIST

__all__ = ["VisionDataset", "MNIST", "FashionMNIST"]
