"""Changes of graphs that keep what they compute."""

from .optimization import optimize

__all__ = ["optimize"]
