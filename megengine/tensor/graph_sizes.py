"""Sizes that a kept call computes or is given: they belong into its graph, for another run may have others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.host_data import as_constant
from ..graph.recorder import thread
from ..graph.sized import sizes_follow
from ..graph.value import Handle
from ..ops import shape as ops
from ..ops.elemwise import cast


def in_graph(sizes: Any, whole: bool = True) -> Any:
    """The sizes as a vector of the graph, if they belong there, else None.

    Args:
        sizes: a tensor, or a sequence of numbers and tensors.
        whole: they are int32; otherwise what they are.
    """
    if thread.recorder.capture is None:
        return None
    if isinstance(sizes, (tuple, list)):
        if not any(map(sizes_follow, sizes)):
            return None
        several = [n if isinstance(n, Handle) else as_constant(n) for n in sizes]
        sizes = apply(ops.concat, *[apply(ops.reshape, n, shape=(n._value.aval.size,)) for n in several], axis=0)
    elif not sizes_follow(sizes):
        return None
    return apply(cast, sizes, dtype=np.dtype(np.int32)) if whole else sizes
