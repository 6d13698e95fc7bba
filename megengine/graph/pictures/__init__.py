"""Graphs as pictures: pages that fold by module, SVG, DOT, and tables of what each part costs."""

from .picture import Picture
from .shown import Shown

__all__ = ["Picture", "Shown"]
