"""One file a family of operators, one rule an operator; importing this gives all of them."""

from . import (
    convolutions,
    elementwise,
    images,
    indexing,
    matrices,
    normalizing,
    picking,
    recurrent,
    reductions,
    shapes,
    sources,
)

__all__ = [
    "convolutions", "elementwise", "images", "indexing", "matrices", "normalizing", "picking", "recurrent", "reductions",
    "shapes", "sources",
]  # fmt: skip
