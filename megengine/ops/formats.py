"""Labels of memory formats: which results have that of their operands, as rules that an op names.

The layout in memory is XLA's to choose. A rule takes the op's tensor operands (what has ``ndim`` and ``format``), the number of
dimensions of each result and the op's attributes, and returns the label of each result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

FORMATS = ("default", "nchw", "nhwc")
FormatRule = Callable[..., list[str]]
_LABELLED_DIMS = (4, 5)


def kept(operands: Sequence[Any], dims: Sequence[int], **attrs: Any) -> list[str]:
    """That of the first labelled operand of as many dimensions, images and kernels only."""
    labelled = {x.ndim: x.format for x in reversed(operands) if x.format != "default"}
    return [labelled.get(n, "default") if n in _LABELLED_DIMS else "default" for n in dims]


def dropped(operands: Sequence[Any], dims: Sequence[int], **attrs: Any) -> list[str]:
    """None: what moves or repeats dimensions, or picks elements, as in MegEngine."""
    return ["default"] * len(dims)


def given(operands: Sequence[Any], dims: Sequence[int], *, format: str) -> list[str]:
    """That of the attribute ``format``."""
    return [format] * len(dims)
