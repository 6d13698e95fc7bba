"""Datasets: what samples are fetched from."""

from __future__ import annotations

from .meta_dataset import ArrayDataset, ConcatDataset, Dataset, StreamDataset
from .vision import MNIST, FashionMNIST, VisionDataset

__all__ = ["Dataset", "ArrayDataset", "StreamDataset", "ConcatDataset", "VisionDataset", "MNIST", "FashionMNIST"]
