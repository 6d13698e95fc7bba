"""From ONNX to a module: how each operator is computed with ``functional``, one file a family."""

from .rules import RULES, computes

__all__ = ["RULES", "computes"]
