"""Loss functions. Each takes ``reduction="mean"`` (default, over all losses), ``"sum"`` or ``"none"``."""

from __future__ import annotations

import numpy as np

from .._help.ranges import within
from ..graph.apply import apply
from ..graph.errors import BadIndexError
from ..graph.host_data import as_constant, to_array
from ..ops import loss as ops
from ..tensor import Tensor
from ..tensor import axes as _axes
from ..tensor.bounds import outside
from ._args import check_reduction, require_tensor
from ._ctc import ctc_loss

__all__ = ["l1_loss", "square_loss", "cross_entropy", "binary_cross_entropy", "hinge_loss", "ctc_loss"]


def l1_loss(pred: Tensor, label: Tensor, reduction: str = "mean") -> Tensor:
    """L1 loss (absolute error) ``abs(pred - label)``.

    Args:
        pred: predictions.
        label: targets, broadcasting with the predictions.
        reduction: mean, sum or none.

    Raises:
        RuntimeError: shapes do not broadcast.
        ValueError: another reduction.

    Example:
        >>> F.nn.l1_loss(Tensor([1.0, 5.0]), Tensor([2.0, 2.0]))
        Tensor(2.0, device=xpux:0)
    """
    check_reduction(reduction)
    return apply(ops.l1_loss, pred, label, reduction=reduction)


def square_loss(pred: Tensor, label: Tensor, reduction: str = "mean") -> Tensor:
    """Squared error ``(pred - label) ** 2``.

    Args:
        pred: predictions.
        label: targets, broadcasting with the predictions.
        reduction: mean, sum or none.

    Raises:
        RuntimeError: shapes do not broadcast.
        ValueError: another reduction.

    Example:
        >>> F.nn.square_loss(Tensor([1.0, 5.0]), Tensor([2.0, 2.0]))
        Tensor(5.0, device=xpux:0)
    """
    check_reduction(reduction)
    return apply(ops.square_loss, pred, label, reduction=reduction)


def cross_entropy(
    pred: Tensor,
    label: Tensor,
    axis: int = 1,
    with_logits: bool = True,
    label_smooth: float | None = 0,
    reduction: str = "mean",
) -> Tensor:
    """Cross entropy ``-log p[label]`` for class probabilities ``p``, by default the softmax of the predictions.

    With ``label_smooth`` = s the loss is ``-(1 - s) log p[label] - s mean(log p)`` (Szegedy et al., Rethinking the Inception
    Architecture, 2016).

    Args:
        pred: scores ``(N, C, ...)``, classes along ``axis``.
        label: class numbers from 0 to C - 1 of the predictions' shape without ``axis``: integers, or whole floats.
        axis: the classes' dimension.
        with_logits: whether ``pred`` are scores (logits) or already probabilities.
        label_smooth: how much of the target is spread over all classes, 0 to 1.
        reduction: mean, sum or none.

    Returns:
        The loss, float32 (that of ``pred`` for sum and none of float16).

    Raises:
        AssertionError: the label does not have one dimension less than the predictions.
        RuntimeError: shapes do not fit, or no such dimension.
        ValueError: another reduction, or a label that is no whole number.
        IndexError: a label out of range; for one that is still to be computed, when something is read.

    Example:
        >>> scores = Tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> F.nn.cross_entropy(scores, Tensor([0, 0]), reduction="none")
        Tensor([0.1269 2.1269], device=xpux:0)
    """
    check_reduction(reduction)
    require_tensor(pred, "pred")
    if not isinstance(label, Tensor):
        label = as_constant(to_array(label))
    if pred.ndim != label.ndim + 1:
        raise AssertionError(
            f"cross_entropy: label needs one dimension less than pred; pred has shape {pred.shape}, label {label.shape}"
        )
    axis = _axes.one_axis(axis, pred.ndim, "cross_entropy")
    wanted = pred.shape[:axis] + pred.shape[axis + 1 :]
    if label.shape != wanted:
        raise RuntimeError(
            f"cross_entropy: predictions of shape {pred.shape} with classes along axis {axis} need labels of shape {wanted}, "
            f"not {label.shape}"
        )
    _check_whole(label)
    wrong = outside(label, 0, pred.shape[axis])
    if wrong is not None:
        raise BadIndexError(f"cross_entropy: label {wrong} is out of range for {pred.shape[axis]} classes")
    if label_smooth is None or (type(label_smooth) in (int, float) and within("label_smooth", label_smooth, 0, 1) == 0):
        operands: tuple[Tensor | float, ...] = (pred, label)
    else:
        operands = (pred, label, label_smooth)
    return apply(ops.cross_entropy, *operands, axis=axis, with_logits=bool(with_logits), reduction=reduction)


def _check_whole(label: Tensor) -> None:
    """Floating-point labels are read; they must be whole numbers."""
    if label.dtype.kind not in "iub":
        values = label.numpy()
        broken = values[values != np.trunc(values)]
        if broken.size:
            raise ValueError(f"cross_entropy: label must hold class numbers, it holds {broken.flat[0]}")


def binary_cross_entropy(pred: Tensor, label: Tensor, with_logits: bool = True, reduction: str = "mean") -> Tensor:
    """Binary cross entropy ``-(y log p + (1 - y) log(1 - p))``, by default with ``p = sigmoid(pred)``.

    Args:
        pred: scores, or probabilities without ``with_logits``.
        label: targets in [0, 1], broadcasting with the predictions.
        with_logits: whether ``pred`` are scores (logits).
        reduction: mean, sum or none.

    Raises:
        RuntimeError: shapes do not broadcast.
        ValueError: another reduction.

    Example:
        >>> F.nn.binary_cross_entropy(Tensor([0.0, 2.0]), Tensor([1.0, 1.0]), reduction="none")
        Tensor([0.6931 0.1269], device=xpux:0)
    """
    check_reduction(reduction)
    return apply(ops.binary_cross_entropy, pred, label, with_logits=bool(with_logits), reduction=reduction)


def hinge_loss(pred: Tensor, label: Tensor, norm: str = "L1", reduction: str = "mean") -> Tensor:
    """Hinge loss ``max(0, 1 - pred * label)``, summed over dimension 1 (squared first with ``norm="L2"``).

    Args:
        pred: scores ``(N, C)``.
        label: -1 or 1 for each score.
        norm: ``"L1"`` or ``"L2"``.
        reduction: mean, sum or none.

    Raises:
        AssertionError: another norm.
        RuntimeError: shapes do not fit.
        ValueError: another reduction.

    Example:
        >>> F.nn.hinge_loss(Tensor([[0.5, -2.0]]), Tensor([[1.0, 1.0]]))
        Tensor(3.5, device=xpux:0)
    """
    check_reduction(reduction)
    if norm.upper() not in ("L1", "L2"):
        raise AssertionError(f"hinge_loss: norm={norm!r}: write L1 or L2")
    return apply(ops.hinge_loss, pred, label, squared=norm.upper() == "L2", reduction=reduction)
