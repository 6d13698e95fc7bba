"""Connectionist temporal classification: the forward algorithm over all alignments, as one loop over time."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from . import promote
from .loops import scan
from .loss import reduced
from .op import op

_TINY = np.finfo(np.float32).tiny


def _dtypes(name, kinds):
    return [promote.floating(name, kinds[:1])[0], *[promote.INT32] * 3]


def _values_fit(pred, pred_lengths, label, label_lengths, *, blank, reduction):
    steps, _, classes = pred.shape
    real = jnp.arange(label.shape[1]) < label_lengths[:, None]
    return (
        ((pred_lengths >= 1) & (pred_lengths <= steps)).all()
        & ((label_lengths >= 1) & (label_lengths <= label.shape[1])).all()
        & (~real | ((label >= 0) & (label < classes))).all()
    )


@op(
    promote=_dtypes,
    differentiable=(True, False, False, False),
    valid=_values_fit,
    invalid="a length is out of range, or a label for the classes",
)
def ctc_loss(pred, pred_lengths, label, label_lengths, *, blank, reduction):
    _, batch, classes = pred.shape
    pred_lengths, label, label_lengths = (i.astype(jnp.int32) for i in (pred_lengths, label, label_lengths))
    label = jnp.clip(label, 0, classes - 1)
    # Blanks around and between the labels.
    states = jnp.full((batch, 2 * label.shape[1] + 1), blank, jnp.int32).at[:, 1::2].set(label)
    may_skip = states[:, 2:] != states[:, :-2]
    emitted = jnp.take_along_axis(pred.astype(jnp.float32), states[None], axis=2)
    log_emitted = jnp.log(jnp.maximum(emitted, _TINY))

    def advance(log_alpha, log_now):
        stay_or_step = log_alpha.at[:, 1:].set(jnp.logaddexp(log_alpha[:, 1:], log_alpha[:, :-1]))
        skipped = jnp.logaddexp(stay_or_step[:, 2:], log_alpha[:, :-2])
        after = stay_or_step.at[:, 2:].set(jnp.where(may_skip, skipped, stay_or_step[:, 2:])) + log_now
        return after, after

    # As in the reference, an alignment may start in a later state, with the least chance: labels that do not fit have a loss.
    first = jnp.full(states.shape, jnp.log(_TINY)).at[:, :2].set(log_emitted[0, :, :2])
    _, later = scan(advance, first, log_emitted[1:])
    log_alphas = jnp.concatenate([first[None], later])
    last = log_alphas[pred_lengths - 1, jnp.arange(batch)]
    ends = jnp.take_along_axis(last, jnp.stack([2 * label_lengths, 2 * label_lengths - 1], 1), axis=1)
    loss = -jnp.logaddexp(ends[:, 0], ends[:, 1])
    return reduced(loss / label_lengths if reduction == "mean" else loss, reduction)
