"""Datasets: what samples are fetched from."""

from __future__ import annotations

from .meta_dataset import ArrayDataset, ConcatDataset, Dataset, StreamDataset
from .vision import *
from .vision import __all__ as _vision

__all__ = ["Dataset", "ArrayDataset", "StreamDataset", "ConcatDataset", *_vision]
