"""Names that programs import from here."""

from __future__ import annotations

from ..graph.apply import apply
from ..graph.flushing import full_sync
from ..graph.recorder import thread
from ..ops import reduce as ops
from ..tensor import Tensor
from .metric import topk_accuracy
from .tensor import copy

__all__ = ["copy", "topk_accuracy"]


def _assert_equal(expect: Tensor, actual: Tensor, *, maxerr: float = 0.0001, verbose: bool = False) -> Tensor:
    """``expect``, if ``max |expect - actual| / max(min(|expect|, |actual|), 1)`` is at most ``maxerr``; in a trace, too.

    Args:
        expect: the numbers wanted.
        actual: those to look at, of the same shape.
        maxerr: the largest error allowed, absolute below 1 and relative above.
        verbose: accepted; the error is in the message when there is one.

    Raises:
        RuntimeError: they differ by more; from a trace, when the host next reads a value.

    Example:
        >>> F.utils._assert_equal(Tensor([1.0, 2.0]), Tensor([1.0, 2.0]))
        Tensor([1. 2.], device=xpux:0)
    """
    result = apply(ops.assert_equal, expect, actual, maxerr=float(maxerr))
    if thread.recorder.capture is None:
        full_sync()
    return result
