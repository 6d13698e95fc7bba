"""The loss of connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.errors import BadIndexError
from ..graph.host_data import as_constant, to_array
from ..ops import ctc as ops
from ..tensor import Tensor
from ..tensor.axes import as_int
from ..tensor.bounds import outside
from ._args import check_reduction


def ctc_loss(
    pred: Tensor, pred_lengths: Tensor, label: Tensor, label_lengths: Tensor, blank: int = 0, reduction: str = "mean"
) -> Tensor:
    """Connectionist temporal classification loss (Graves et al., 2006): ``-log p(label)``, summed over all alignments.

    Probabilities under the smallest normal float32, about 1e-38, count as that, and an alignment may start after the first label
    with that chance, as in MegEngine: so a label that is too long for its time steps has a finite loss, near 87, and losses far
    above 87 may come out smaller than they are.

    Args:
        pred: probabilities ``(T, N, C)``: time, batch, classes (not scores or logarithms).
        pred_lengths: how many of the T time steps each example has, ``(N,)`` integers.
        label: class numbers without blanks: ``(N, S)``, filled up with anything, or one after the other in one
            dimension.
        label_lengths: how many labels each example has, ``(N,)`` integers.
        blank: class number of the blank.
        reduction: ``"mean"`` divides each example's loss by its number of labels and averages; ``"sum"`` or ``"none"``.

    Returns:
        float32: a scalar, or ``(N,)`` for ``"none"``.

    Raises:
        AssertionError: lengths that are not N, or out of range (IndexError if they are still to be computed); a blank that is no
            class.
        ValueError: another number of dimensions, another batch size, or another reduction.
        IndexError: a label that is no class; for one that is still to be computed, when something is read.

    Example:
        >>> pred = Tensor([[[0.5, 0.5]], [[0.25, 0.75]]])
        >>> F.exp(-F.nn.ctc_loss(pred, Tensor([2]), Tensor([[1]]), Tensor([1])))
        Tensor(0.875, device=xpux:0)
    """
    check_reduction(reduction)
    pred, pred_lengths, label, label_lengths = map(_tensor, (pred, pred_lengths, label, label_lengths))
    if pred.ndim != 3 or label.ndim not in (1, 2):
        raise ValueError(
            f"ctc_loss: pred must have the shape (T, N, C) and label (N, S) or one dimension; "
            f"they have shapes {pred.shape} and {label.shape}"
        )
    steps, batch, classes = pred.shape
    if not steps:
        raise AssertionError(f"ctc_loss: pred of shape {pred.shape} has no time steps")
    for name, lengths in (("pred_lengths", pred_lengths), ("label_lengths", label_lengths)):
        if lengths.size != batch:
            raise AssertionError(f"ctc_loss: {lengths.size} {name} for a batch of {batch}")
    blank = as_int(blank, "blank")
    if not 0 <= blank < classes:
        raise AssertionError(f"ctc_loss: blank={blank} is none of {classes} classes")
    pred_lengths, label_lengths = pred_lengths.reshape(batch), label_lengths.reshape(batch)
    if label.ndim == 1:
        label = _in_rows(label, label_lengths)
    for name, lengths, most in (
        ("pred_lengths", pred_lengths, steps),
        ("label_lengths", label_lengths, label.shape[1]),
    ):
        wrong = outside(lengths, 1, most + 1)
        if wrong is not None:
            raise AssertionError(f"ctc_loss: {name} must be from 1 to {most}, one is {wrong}")
    if label.shape[0] != batch:
        raise ValueError(f"ctc_loss: {label.shape[0]} rows of labels for a batch of {batch}")
    _check_labels(label, label_lengths, classes)
    return apply(ops.ctc_loss, pred, pred_lengths, label, label_lengths, blank=blank, reduction=reduction)


def _tensor(x: Any) -> Any:
    return x if isinstance(x, Tensor) else as_constant(to_array(x))


def _check_labels(label: Tensor, label_lengths: Tensor, classes: int) -> None:
    """Labels whose values are still on the host must be classes; what fills up the rows may be anything."""
    labels, lengths = label._value.array, label_lengths._value.array
    if type(labels) is not np.ndarray or type(lengths) is not np.ndarray:
        return
    real = labels[np.arange(labels.shape[1]) < lengths[:, None]]
    wrong = real[(real < 0) | (real >= classes)]
    if wrong.size:
        raise BadIndexError(f"ctc_loss: label {wrong[0]} is none of {classes} classes")


def _in_rows(label: Tensor, label_lengths: Tensor) -> Tensor:
    """Labels that stand one after the other, as rows; the lengths are read, since they decide the shape."""
    lengths = label_lengths.numpy().astype(np.int64)
    if (lengths < 1).any() or lengths.sum() != label.size:
        raise AssertionError(f"ctc_loss: label_lengths {lengths.tolist()} do not add up to {label.size} labels")
    if not lengths.size:
        return label.reshape(0, 0)
    first = np.cumsum(lengths) - lengths
    index = np.minimum(first[:, None] + np.arange(lengths.max()), label.size - 1)
    rows: Tensor = label[Tensor(index.astype(np.int32))]
    return rows
