"""Resizing of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Graph
from .rules import Call, rule


@rule("resize")
def _resize(g: Graph, e: Call) -> str:
    sizes = g.sizes([*e.shape[: len(e.shape) - len(e["sizes"])], *e["sizes"]])
    where = "asymmetric" if e["mode"] == "nearest" else "align_corners" if e["corners"] else "half_pixel"
    extra: dict[str, Any] = {"nearest_mode": "floor"} if e["mode"] == "nearest" else {}
    if e["mode"] == "cubic":
        extra["cubic_coeff_a"] = -0.75
    x = e.x if e.is_float or e["mode"] == "nearest" else g.cast(e.x, np.float32)
    y = g.op("Resize", x, "", "", sizes, mode=e["mode"], coordinate_transformation_mode=where, **extra)
    return y if x == e.x else rounded(g, y, e.dtype)


def rounded(g: Graph, x: str, dtype: np.dtype) -> str:
    """A result in an integer dtype, half away from zero and saturating."""
    limits = np.iinfo(dtype)
    half = g.op("Mul", g.op("Sign", x), g.op("Floor", g.op("Add", g.op("Abs", x), g.like(0.5, np.float32))))
    return g.cast(g.op("Clip", half, g.like(limits.min, np.float32), g.like(limits.max, np.float32)), dtype)
