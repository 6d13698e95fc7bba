"""Loss functions, each one op from predictions and labels to the reduced loss."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from . import promote
from .bounds import within
from .op import op


def reduced(loss, reduction):
    if reduction == "mean":
        return loss.astype(jnp.float32).mean()
    return loss.sum(dtype=loss.dtype) if reduction == "sum" else loss


@op(promote=promote.arithmetic)
def square_loss(pred, label, *, reduction):
    diff = pred - label
    if not jnp.issubdtype(diff.dtype, jnp.inexact):
        diff = diff.astype(jnp.float32)
    return reduced(diff * diff, reduction)


@op(promote=promote.arithmetic)
def l1_loss(pred, label, *, reduction):
    diff = pred - label
    # abs, whose derivative at 0 is -1 in the reference.
    return reduced(jnp.where(diff > 0, diff, -diff), reduction)


@op(promote=promote.floating)
def hinge_loss(pred, label, *, squared, reduction):
    margin = 1 - pred * label
    loss = jnp.where(margin > 0, margin, 0).astype(margin.dtype)
    return reduced((loss * loss if squared else loss).sum(1, dtype=loss.dtype), reduction)


def _probabilities(name, kinds):
    return promote.floating(name, [promote.FLOAT32 if k == promote.BOOL else k for k in kinds])


@op(promote=_probabilities)
def binary_cross_entropy(pred, label, *, with_logits, reduction):
    if with_logits:
        # log sigmoid(x) = x - softplus(x), so that -(y log s(x) + (1 - y) log s(-x)) = softplus(x) - y x.
        return reduced(jax.nn.softplus(pred) - label * pred, reduction)
    return reduced(-(label * jnp.log(pred) + (1 - label) * jnp.log(1 - pred)), reduction)


def _classes(name, kinds):
    """Predictions as floats, labels as int32, the smoothing as float32."""
    return [promote.floating(name, kinds[:1])[0], promote.INT32, *[promote.FLOAT32] * (len(kinds) - 2)]


def _labels_within(pred, label, *smooth, axis, **_):
    return within(label, 0, pred.shape[axis])


@op(
    promote=_classes,
    differentiable=(True, False, True),
    valid=_labels_within,
    invalid="a label is out of range for the classes of dimension {axis}",
)
def cross_entropy(pred, label, *smooth, axis, with_logits, reduction):
    dtype = pred.dtype if not smooth else np.dtype(np.float32)
    scores = pred.astype(jnp.float32)
    if with_logits:
        # -log softmax(x)[k] = log sum exp(x - m) - (x - m)[k], without writing the softmax of all classes out.
        scores = scores - jax.lax.stop_gradient(scores.max(axis, keepdims=True))
        whole = jnp.log(jnp.exp(scores).sum(axis))
    else:
        scores, whole = jnp.log(scores), jnp.float32(0)
    loss = whole - pick(scores, label, axis)
    if smooth:
        loss = (1 - smooth[0]) * loss + smooth[0] * (whole - scores.mean(axis))
    return reduced(loss if reduction == "mean" else loss.astype(dtype), reduction)


def pick(x, index, axis):
    """``x`` at ``index`` along ``axis``, that axis gone; NaN where the index is out of range (0 for integers).

    A masked sum: unlike a gather, its gradient is element-wise.
    """
    classes = x.shape[axis]
    position = jax.lax.broadcasted_iota(jnp.int32, x.shape, axis)
    chosen = position == jnp.expand_dims(index, axis)
    picked = jnp.where(chosen, x, 0).sum(axis, dtype=x.dtype)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return picked
    return jnp.where((index >= 0) & (index < classes), picked, jnp.nan).astype(x.dtype)
