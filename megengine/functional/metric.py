"""Measures of how good predictions are."""

from __future__ import annotations

from collections.abc import Iterable

from .._help.ranges import within
from ..graph.apply import apply
from ..ops import reduce
from ..tensor import Tensor
from ._args import tensor_of

__all__ = ["topk_accuracy"]


def topk_accuracy(logits: Tensor, target: Tensor, topk: int | Iterable[int] = 1) -> Tensor | list[Tensor]:
    """Top-k accuracy: the share of examples whose class is among the ``k`` with the highest scores.

    Args:
        logits: scores ``(N, C)``.
        target: class numbers ``(N,)``.
        topk: ``k``, or several.

    Raises:
        ValueError: a ``k`` below 1 or above the number of classes.

    Returns:
        A scalar in [0, 1], or a list of scalars for several ``k``.

    Example:
        >>> scores = Tensor([[0.1, 0.9], [0.8, 0.2]])
        >>> F.topk_accuracy(scores, Tensor([1, 1]))
        Tensor(0.5, device=xpux:0)
    """
    logits = tensor_of(logits)
    counts = (topk,) if isinstance(topk, int) else tuple(topk)
    for k in counts:
        within("topk", k, 1, logits.shape[-1])
    shares = [apply(reduce.topk_accuracy, logits, target, k=k) for k in counts]
    return shares[0] if len(shares) == 1 else shares
