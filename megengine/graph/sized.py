"""Sizes that depend on numbers: read where a program runs, and recorded as ops where a graph is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.op import Op
from ..ops.sized import FROM_NUMBERS
from .apply import apply
from .checks import read_for
from .flushing import evaluate
from .recorder import thread
from .spanning import whole
from .value import Handle, Symbol


def keeps_sizes(*operands: Handle) -> bool:
    """Whether a result of these gets its size in the graph: it is kept as one, or is one without numbers."""
    capture = thread.recorder.capture
    if capture is not None and capture.keeps_sizes:
        return True
    return any(isinstance(x._value, Symbol) for x in operands)


def sizes_follow(x: Any) -> bool:
    """Whether sizes that this tensor holds belong into the graph, for another run may have others."""
    capture = thread.recorder.capture
    return isinstance(x, Handle) and capture is not None and capture.keeps_sizes and capture.follows(x._value)


def read_for_size(name: str, x: Any) -> np.ndarray:
    """The elements of a tensor that the size of a result follows from."""
    capture = thread.recorder.capture
    if capture is None:
        return read_for(name, x)
    capture.sizes(x._value)
    evaluate(x._value)
    return np.asarray(whole(x._value.array))


def apply_sized(op: Op, *operands: Any, **attributes: Any) -> Any:
    """The result of an op of :mod:`megengine.ops.sized`, with the size that its operands give.

    Args:
        op: the op.
        operands: its operands.
        attributes: its others, and ``at_most``: the size for operands without numbers.
    """
    name, read, find = FROM_NUMBERS[op]
    source, first = operands[read], operands[0]
    if isinstance(source._value, Symbol):
        size = attributes.pop("at_most")
    else:
        attributes.pop("at_most", None)
        size = find(read_for_size(op.name, source), first.shape)
    return apply(op, *operands, **{name: size}, **attributes)
