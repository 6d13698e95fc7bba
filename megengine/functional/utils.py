"""Names that older programs import from here."""

from __future__ import annotations

from .metric import topk_accuracy
from .tensor import copy

__all__ = ["copy", "topk_accuracy"]
