"""Reverse-mode automatic differentiation: :class:`GradManager` and :class:`Function`."""

from .function import Function
from .grad_manager import GradManager, GradManagerGroup

__all__ = ["Function", "GradManager", "GradManagerGroup"]
