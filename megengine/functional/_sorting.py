"""Elements in order: all of them, their places, or the first few."""

from __future__ import annotations

from ..graph.apply import apply
from ..ops import reduce
from ..tensor import Tensor
from ..tensor import axes as _axes
from ._args import tensor_of


def sort(inp: Tensor, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Sort along the last dimension: the elements in order, and where each was.

    Equal elements keep their order; NaN comes last.

    Args:
        inp: input of at least one dimension.
        descending: largest first.

    Returns:
        The sorted tensor and its int32 indices.

    Raises:
        RuntimeError: a scalar or bools.

    Example:
        >>> F.sort(Tensor([3.0, 1.0, 2.0]))
        (Tensor([1. 2. 3.], device=xpux:0), Tensor([1 2 0], dtype=int32, device=xpux:0))
    """
    return apply(reduce.sort, inp, descending=bool(descending))


def argsort(inp: Tensor, descending: bool = False) -> Tensor:
    """Indices that sort the last dimension.

    Args:
        inp: input of at least one dimension.
        descending: largest first.

    Returns:
        int32 indices of the input's shape.

    Raises:
        RuntimeError: a scalar or bools.

    Example:
        >>> F.argsort(Tensor([3.0, 1.0, 2.0]))
        Tensor([1 2 0], dtype=int32, device=xpux:0)
    """
    return apply(reduce.argsort, inp, descending=bool(descending))


def topk(
    inp: Tensor, k: int, descending: bool = True, kth_only: bool = False, no_sort: bool = False
) -> tuple[Tensor, Tensor]:
    """Top k of the last dimension: the ``k`` largest (or smallest) elements, and where they are.

    Args:
        inp: input of one or two dimensions.
        k: how many; more than there are gives all. A negative number takes ``-k`` from the other end.
        descending: the largest, largest first; otherwise the smallest, smallest first.
        kth_only: only the k-th element, that dimension gone.
        no_sort: the order does not matter (it is sorted all the same).

    Returns:
        The elements and their int32 indices.

    Raises:
        RuntimeError: the input has no or more than two dimensions, or ``k`` is 0.

    Example:
        >>> F.topk(Tensor([2.0, 4.0, 1.0, 3.0]), 2)
        (Tensor([4. 3.], device=xpux:0), Tensor([1 3], dtype=int32, device=xpux:0))
    """
    inp = tensor_of(inp)
    if inp.ndim not in (1, 2):
        raise RuntimeError(f"topk: the input needs 1 or 2 dimensions, it has shape {inp.shape}")
    count = int(k) if isinstance(k, float) else _axes.as_int(k, "k")
    if count == 0:
        raise RuntimeError("topk: k must not be 0")
    if count < 0:
        count, descending = -count, not descending
    return apply(reduce.topk, inp, k=count, descending=bool(descending), kth_only=bool(kth_only))
