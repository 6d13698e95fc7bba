"""The random streams of MegEngine: XORWOW inside compiled graphs, Xoroshiro128+ on the host."""

from __future__ import annotations

from . import xoroshiro, xorwow
from .xoroshiro import Xoroshiro128

__all__ = ["Xoroshiro128", "xoroshiro", "xorwow"]
