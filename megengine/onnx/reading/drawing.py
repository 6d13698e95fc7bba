"""Random numbers: this package's generators draw them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...random import normal, uniform
from .rules import Node, computes
from .types import dtype_of


@computes("RandomNormal", "RandomNormalLike")
def _normal(e: Node) -> Any:
    return normal(e.get("mean", 0.0), e.get("scale", 1.0), size=_shape(e)).astype(_dtype(e))


@computes("RandomUniform", "RandomUniformLike")
def _uniform(e: Node) -> Any:
    return uniform(e.get("low", 0.0), e.get("high", 1.0), size=_shape(e)).astype(_dtype(e))


def _shape(e: Node) -> tuple[int, ...]:
    return tuple(e.inputs[0].shape) if e.kind.endswith("Like") else tuple(e.get("shape"))


def _dtype(e: Node) -> np.dtype:
    if "dtype" in e.attributes:
        found = dtype_of(e.get("dtype"))
    else:
        found = np.dtype(e.inputs[0].dtype if e.kind.endswith("Like") else np.float32)
    return np.dtype(np.float32) if found == np.float64 else found
