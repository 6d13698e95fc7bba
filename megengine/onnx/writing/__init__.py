"""From a graph of this package to ONNX: rules by op, one file a family."""

from .model import write
from .rules import RULES, rule

__all__ = ["RULES", "rule", "write"]
