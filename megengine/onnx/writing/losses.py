"""Losses."""

from __future__ import annotations

import numpy as np

from .graph import Graph
from .rules import Call, rule


def _reduced(g: Graph, e: Call, loss: str, dtype: np.dtype) -> str:
    if e["reduction"] == "mean":
        return g.reduce("ReduceMean", loss if dtype == np.float32 else g.cast(loss, np.float32), None, False)
    return g.reduce("ReduceSum", loss, None, False) if e["reduction"] == "sum" else loss


@rule("square_loss")
def _square_loss(g: Graph, e: Call) -> str:
    apart, dtype = g.op("Sub", *e.inputs), e.dtype
    if not e.is_float:
        apart, dtype = g.cast(apart, np.float32), np.dtype(np.float32)
    return _reduced(g, e, g.op("Mul", apart, apart), dtype)


@rule("l1_loss")
def _l1_loss(g: Graph, e: Call) -> str:
    return _reduced(g, e, g.op("Abs", g.op("Sub", *e.inputs)), e.dtype)


@rule("hinge_loss")
def _hinge_loss(g: Graph, e: Call) -> str:
    margin = g.op("Relu", g.op("Sub", g.like(1, e.dtype), g.op("Mul", *e.inputs)))
    return _reduced(
        g, e, g.reduce("ReduceSum", g.op("Mul", margin, margin) if e["squared"] else margin, [1], False), e.dtype
    )


@rule("binary_cross_entropy")
def _binary_cross_entropy(g: Graph, e: Call) -> str:
    pred, label = e.inputs
    if e["with_logits"]:
        return _reduced(g, e, g.op("Sub", g.op("Softplus", pred), g.op("Mul", label, pred)), e.dtype)
    one = g.like(1, e.dtype)
    there = g.op("Mul", label, g.op("Log", pred))
    other = g.op("Mul", g.op("Sub", one, label), g.op("Log", g.op("Sub", one, pred)))
    return _reduced(g, e, g.op("Neg", g.op("Add", there, other)), e.dtype)


@rule("cross_entropy")
def _cross_entropy(g: Graph, e: Call) -> str:
    pred, label, *smooth = e.inputs
    axis = e["axis"] % len(e.shape)
    scores = pred if e.dtype == np.float32 else g.cast(pred, np.float32)
    scores = g.op("LogSoftmax", scores, axis=axis) if e["with_logits"] else g.op("Log", scores)
    picked = g.op("GatherElements", scores, g.unsqueeze(label, axis), axis=axis)
    loss = g.op("Neg", g.squeeze(picked, axis))
    if smooth:
        even = g.op("Neg", g.reduce("ReduceMean", scores, [axis], False))
        keep = g.op("Sub", g.like(1, np.float32), smooth[0])
        loss = g.op("Add", g.op("Mul", keep, loss), g.op("Mul", smooth[0], even))
    dtype = np.dtype(np.float32) if smooth or e["reduction"] == "mean" else e.dtype
    return _reduced(g, e, loss if dtype == np.float32 else g.cast(loss, dtype), dtype)
