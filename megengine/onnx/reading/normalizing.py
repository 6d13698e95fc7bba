"""Normalisations, dropout and losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from ...graph.apply import apply
from ...ops.nn import batch_norm, batch_norm_training, group_norm, layer_norm
from ...tensor import Tensor
from .rules import Node, axis_of, computes


@computes("BatchNormalization")
def _batch_norm(e: Node) -> Any:
    """With the batch's statistics where the node or the module trains; the running ones are then moved."""
    x, parameters = e.tensor(0), [e.tensor(k) for k in range(1, 5)]
    eps, momentum = e.get("epsilon", 1e-5), e.get("momentum", 0.9)
    if not (e.training or e.get("training_mode", 0)) or x.ndim < 2:
        return apply(batch_norm, x, *parameters, eps=eps)
    y, mean, var = apply(batch_norm_training, x, *parameters, momentum, eps=eps)
    count = x.size // x.shape[1]
    if e.get("training_mode", 0) and count > 1:  # ONNX keeps the biased variance, this package the unbiased one
        old = parameters[3]
        var = momentum * old + (var - momentum * old) * ((count - 1) / count)
    if e.update is not None and e.training:
        e.update(3, mean)
        e.update(4, var)
    return [y, mean, var][: e.count]


@computes("InstanceNormalization")
def _instance_norm(e: Node) -> Any:
    x = e.tensor(0)
    return apply(group_norm, x, e.tensor(1), e.tensor(2), groups=x.shape[1], eps=e.get("epsilon", 1e-5))


@computes("GroupNormalization")
def _group_norm(e: Node) -> Any:
    x, groups, eps = e.tensor(0), e.get("num_groups"), e.get("epsilon", 1e-5)
    scale, bias = e.tensor(1), e.tensor(2)
    if scale.shape[0] == groups != x.shape[1]:  # opset 18: one number a group
        scale, bias = (F.repeat(p, x.shape[1] // groups) for p in (scale, bias))
    return apply(group_norm, x, scale, bias, groups=groups, eps=eps)


@computes("LayerNormalization")
def _layer_norm(e: Node) -> Any:
    x, eps = e.tensor(0), e.get("epsilon", 1e-5)
    axes = tuple(range(axis_of(e.get("axis", -1), x.ndim), x.ndim))
    sizes = tuple(x.shape[a] for a in axes)
    scale = F.broadcast_to(e.tensor(1), sizes)
    bias = F.broadcast_to(e.tensor(2), sizes) if e.has(2) else F.zeros(sizes)
    y = apply(layer_norm, x, scale, bias, axes=axes, eps=eps)
    if e.count == 1:
        return y
    mean = F.mean(x, axis=axes, keepdims=True)
    variance = F.mean((x - mean) ** 2, axis=axes, keepdims=True)
    return [y, mean, 1 / F.sqrt(variance + eps)][: e.count]


@computes("LRN")
def _lrn(e: Node) -> Any:
    x, size = e.tensor(), e.get("size")
    before = (size - 1) // 2
    channels = x.shape[1]
    squares = x * x
    rows = []
    for c in range(channels):
        rows.append(F.sum(squares[:, max(0, c - before) : c + size - before], axis=1, keepdims=True))
    total = F.concat(rows, axis=1)
    return x / (e.get("bias", 1.0) + e.get("alpha", 0.0001) / size * total) ** e.get("beta", 0.75)


@computes("LpNormalization")
def _lp_norm(e: Node) -> Any:
    x, axis, p = e.tensor(), e.get("axis", -1), e.get("p", 2)
    size = F.sum(F.abs(x), axis=axis, keepdims=True) if p == 1 else F.sqrt(F.sum(x * x, axis=axis, keepdims=True))
    return F.where(F.equal(size, 0), F.zeros_like(x), x / size)


@computes("Dropout", host=[1, 2])
def _dropout(e: Node) -> Any:
    x, ratio = e.tensor(), e.number(1, "ratio", 0.5)
    trains = bool(e.number(2, "training_mode", 0)) or (e.training and e.opset < 12) or e.training
    if not trains or ratio == 0:
        return [x, F.ones(x.shape, dtype="bool")][: e.count]
    y = F.dropout(x, ratio, training=True)
    if e.count > 1:
        raise e.refuse("the mask of a dropout that trains is not supported")
    return y


@computes("NegativeLogLikelihoodLoss")
def _nll(e: Node) -> Any:
    return _likelihood(e, e.tensor(0))


@computes("SoftmaxCrossEntropyLoss")
def _softmax_loss(e: Node) -> Any:
    scores = F.logsoftmax(e.tensor(0), axis=1)
    return [_likelihood(e, scores), scores][: e.count]


def _likelihood(e: Node, scores: Tensor) -> Tensor:
    labels, ignored = e.tensor(1).astype("int32"), e.get("ignore_index")
    keep = None if ignored is None else F.not_equal(labels, int(ignored))
    labels = labels if keep is None else F.where(keep, labels, F.zeros_like(labels))
    classes = Tensor(np.arange(scores.shape[1], dtype=np.int32).reshape(1, -1, *[1] * (scores.ndim - 2)))
    hit = F.equal(F.expand_dims(labels, 1), classes)
    loss = -F.sum(F.where(hit, scores, F.zeros_like(scores)), axis=1)
    weight = F.ones(loss.shape) if not e.has(2) else e.tensor(2)[labels]
    if keep is not None:
        weight = F.where(keep, weight, F.zeros_like(weight))
    loss = loss * weight
    reduction = e.get("reduction", "mean")
    if reduction == "none":
        return loss
    return F.sum(loss) / F.sum(weight) if reduction == "mean" else F.sum(loss)
