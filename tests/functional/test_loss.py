"""Losses: formulas, every option, gradients, labels that cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import megengine.functional as F
from megengine import Tensor, graph

from . import gradients

SCORES = np.float32([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]])
LABELS = np.int32([2, 1])
TARGETS = np.float32([[1, 0, 1], [0, 1, 1]])
REDUCE = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}


def log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def entropy(x: np.ndarray, label: np.ndarray, axis: int, with_logits: bool, smooth: float) -> np.ndarray:
    log_p = log_softmax(x, axis) if with_logits else np.log(x)
    picked = np.take_along_axis(log_p, np.expand_dims(label, axis), axis).squeeze(axis)
    return -(1 - smooth) * picked - smooth * log_p.mean(axis)


@given(
    axis=st.sampled_from([0, 1, 2, -1]),
    with_logits=st.booleans(),
    smooth=st.sampled_from([0, 0.0, 0.1, 1.0]),
    reduction=st.sampled_from(sorted(REDUCE)),
)
@settings(max_examples=16)
def test_cross_entropy(axis: int, with_logits: bool, smooth: float, reduction: str) -> None:
    rng = np.random.default_rng(3)
    x = np.float32(rng.uniform(0.1, 0.9, (2, 3, 4)))
    label = rng.integers(0, x.shape[axis], np.delete(x.shape, axis)).astype(np.int32)
    found = F.nn.cross_entropy(Tensor(x), Tensor(label), axis, with_logits, smooth, reduction=reduction)
    wanted = REDUCE[reduction](entropy(x, label, axis, with_logits, smooth))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"label_smooth": 0.2}, {"reduction": "none"}])
def test_cross_entropy_gradient(options: Any) -> None:
    gradients.check(lambda x: F.nn.cross_entropy(x, Tensor(LABELS), **options), SCORES)
    gradients.check(lambda x: F.nn.cross_entropy(F.softmax(x), Tensor(LABELS), with_logits=False, **options), SCORES)


def test_cross_entropy_of_extreme_scores() -> None:
    loss = F.nn.cross_entropy(Tensor([[1000.0, -1000.0]]), Tensor([1]))
    assert loss.item() == 2000


def test_labels_of_any_integer_dtype_and_whole_floats() -> None:
    wanted = F.nn.cross_entropy(Tensor(SCORES), Tensor(LABELS)).item()
    for dtype in ("uint8", "int8", "int16", "float32"):
        assert F.nn.cross_entropy(Tensor(SCORES), Tensor(LABELS.astype(dtype))).item() == wanted
    assert F.nn.cross_entropy(Tensor(SCORES), LABELS.astype(np.int64)).item() == wanted


@pytest.mark.parametrize(
    ("pred", "label", "options", "error", "message"),
    [
        (SCORES, [3, 0], {}, IndexError, "label 3 is out of range for 3 classes"),
        (SCORES, [0, -1], {}, IndexError, "label -1 is out of range"),
        (SCORES, [0.5, 1.0], {}, ValueError, "0.5"),
        (SCORES, SCORES, {}, AssertionError, "one dimension less"),
        (SCORES, [0, 1, 2], {}, RuntimeError, r"\(2,\)"),
        (SCORES, [0, 1], {"axis": 2}, RuntimeError, "axis 2"),
        (SCORES, [0, 1], {"reduction": "average"}, ValueError, "mean, sum or none"),
    ],
)
def test_cross_entropy_refuses(pred: Any, label: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        F.nn.cross_entropy(Tensor(pred), Tensor(label), **options)


@pytest.mark.parametrize("reduction", REDUCE)
def test_others(reduction: str) -> None:
    x, t, reduce = Tensor(SCORES), Tensor(TARGETS), REDUCE[reduction]
    p = 1 / (1 + np.exp(-SCORES))
    binary = -(TARGETS * np.log(p) + (1 - TARGETS) * np.log(1 - p))
    margin = np.maximum(1 - SCORES * (2 * TARGETS - 1), 0)
    found = [
        (F.nn.l1_loss(x, t, reduction=reduction), np.abs(SCORES - TARGETS)),
        (F.nn.square_loss(x, t, reduction=reduction), (SCORES - TARGETS) ** 2),
        (F.nn.binary_cross_entropy(x, t, reduction=reduction), binary),
        (F.nn.binary_cross_entropy(F.sigmoid(x), t, False, reduction=reduction), binary),
        (F.nn.hinge_loss(x, 2 * t - 1, reduction=reduction), margin.sum(1)),
        (F.nn.hinge_loss(x, 2 * t - 1, "L2", reduction=reduction), (margin**2).sum(1)),
    ]
    for loss, wanted in found:
        np.testing.assert_allclose(loss.numpy(), reduce(wanted), rtol=2e-5)


@pytest.mark.parametrize("name", ["l1_loss", "square_loss", "binary_cross_entropy", "hinge_loss"])
def test_gradients_of_the_others(name: str) -> None:
    gradients.check(lambda x: getattr(F.nn, name)(x, Tensor(TARGETS)), SCORES)


def test_binary_cross_entropy_does_not_overflow() -> None:
    assert F.nn.binary_cross_entropy(Tensor([-500.0, 500.0]), Tensor([1.0, 1.0])).item() == 250


@pytest.mark.usefixtures("compiled")
def test_a_changing_label_smooth_compiles_nothing() -> None:
    def loss(smooth: float) -> float:
        return F.nn.cross_entropy(Tensor(SCORES), Tensor(LABELS), label_smooth=smooth).item()

    loss(0.1)
    before = graph.counters.compilations.total()
    assert loss(0.2) < loss(0.3) and graph.counters.compilations.total() == before


def test_norm_of_hinge_loss() -> None:
    with pytest.raises(AssertionError, match="L3"):
        F.nn.hinge_loss(Tensor(SCORES), Tensor(TARGETS), "L3")
