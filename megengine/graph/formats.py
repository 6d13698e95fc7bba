"""Labels of memory formats: which results have that of their operands. The layout in memory is XLA's to choose."""

from __future__ import annotations

from typing import Any

from .value import Aval

FORMATS = ("default", "nchw", "nhwc")
_LABELLED_DIMS = (4, 5)
# What moves or repeats dimensions, or picks elements: MegEngine drops the label there, too.
_LOSE = frozenset({"matmul", "pad", "repeat", "roll", "stack", "take_along", "tile", "transpose", "where"})


def labels(name: str, attrs: tuple[Any, ...], specs: tuple[Any, ...], dims: list[int]) -> list[str]:
    """The label of each result: that of the first labelled operand of as many dimensions, images and kernels only."""
    if name == "relabel":
        return [attrs[0]]
    labelled = {s.ndim: s.format for s in reversed(specs) if isinstance(s, Aval) and s.format != "default"}
    if not labelled or name in _LOSE:
        return ["default"] * len(dims)
    return [labelled.get(n, "default") if n in _LABELLED_DIMS else "default" for n in dims]
