"""Layers without parameters of their own: linear, one_hot, embedding, dropout, topk_accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine
import megengine.functional as F
from megengine import Tensor, graph

from . import gradients

RNG = np.random.default_rng(2)
X = np.float32(RNG.normal(size=(2, 3)))
W = np.float32(RNG.normal(size=(4, 3)))
B = np.float32(RNG.normal(size=4))


def test_linear() -> None:
    np.testing.assert_allclose(F.linear(Tensor(X), Tensor(W), Tensor(B)).numpy(), X @ W.T + B, rtol=1e-5)
    cube = np.float32(RNG.normal(size=(2, 1, 3)))
    np.testing.assert_allclose(F.linear(Tensor(cube), Tensor(W)).numpy(), cube @ W.T, rtol=1e-5)
    gradients.check(F.linear, X, W, B)
    with pytest.raises(RuntimeError, match=r"\(2, 3\).*\(3, 4\)"):
        F.linear(Tensor(X), Tensor(W.T.copy()))


def test_one_hot() -> None:
    index = np.int32([[0, 2], [1, 1]])
    found = F.one_hot(Tensor(index), 3)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found.numpy(), np.eye(3)[index])
    with pytest.raises(RuntimeError, match="integers"):
        F.one_hot(Tensor([0.0]), 3)
    with pytest.raises(IndexError, match="class 3"):
        F.one_hot(Tensor([3]), 3)


def test_indexing_one_hot() -> None:
    index = Tensor([2, 0])
    np.testing.assert_array_equal(F.indexing_one_hot(Tensor(X), index).numpy(), X[[0, 1], [2, 0]])
    assert F.indexing_one_hot(Tensor(X), index, keepdims=True).shape == (2, 1)
    gradients.check(lambda x: F.indexing_one_hot(x, index), X)
    with pytest.raises(IndexError, match="index 3"):
        F.indexing_one_hot(Tensor(X), Tensor([3, 0]))


def test_embedding() -> None:
    index = np.int32([[0, 3], [3, 1]])
    np.testing.assert_array_equal(F.embedding(Tensor(index), Tensor(W)).numpy(), W[index])
    gradients.check(lambda w: F.embedding(Tensor(index), w), W)
    with pytest.raises(ValueError, match="padding_idx"):
        F.embedding(Tensor(index), Tensor(W), padding_idx=0)
    with pytest.raises(IndexError, match="index 4"):
        F.embedding(Tensor([4]), Tensor(W))


@pytest.mark.parametrize("kind", [list, tuple, np.int64, np.uint8])
def test_indices_that_are_no_tensors(kind: Any) -> None:
    index = kind([2, 0])
    np.testing.assert_array_equal(F.indexing_one_hot(Tensor(X), index).numpy(), X[[0, 1], [2, 0]])
    np.testing.assert_array_equal(F.embedding(index, Tensor(W)).numpy(), W[[2, 0]])
    np.testing.assert_array_equal(F.one_hot(index, 3).numpy(), np.eye(3)[[2, 0]])


@pytest.mark.parametrize(
    "call",
    [lambda: F.embedding(None, Tensor(W)), lambda: F.indexing_one_hot(Tensor(X), None), lambda: F.one_hot(None, 3)],
)
def test_indices_that_are_none(call: Any) -> None:
    with pytest.raises(TypeError, match="None"):
        call()


def test_dropout() -> None:
    x = F.ones((40, 50))
    megengine.random.seed(3)
    once = F.nn.dropout(x, 0.25).numpy()
    assert set(np.unique(once)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((once == 0).mean() - 0.25) < 0.05
    assert (F.nn.dropout(x, 0.25).numpy() != once).any()
    megengine.random.seed(3)
    np.testing.assert_array_equal(F.nn.dropout(x, 0.25).numpy(), once)
    assert F.nn.dropout(x, 0.25, training=False) is x and F.nn.dropout(x, 0.0) is x


def test_dropout_scales_the_gradient_as_the_output() -> None:
    kept = []

    def dropped(x: Tensor) -> Tensor:
        kept.append(F.nn.dropout(x, 0.5))
        return kept[0]

    (found,) = gradients.gradients(dropped, np.ones(20, np.float32))
    np.testing.assert_allclose(found, kept[0].numpy() * np.cos(np.arange(20)), rtol=1e-5)


@pytest.mark.usefixtures("compiled")
def test_a_changing_probability_compiles_nothing() -> None:
    x = F.ones((10,))
    x.numpy()
    F.nn.dropout(x, 0.5).numpy()
    before = graph.counters.compilations.total()
    F.nn.dropout(x, 0.25).numpy()
    assert graph.counters.compilations.total() == before


@pytest.mark.parametrize("probability", [-0.1, 1.0, 1.5])
def test_a_probability_that_is_none(probability: float) -> None:
    with pytest.raises(AssertionError, match=str(probability)):
        F.nn.dropout(F.ones(3), probability)


def test_topk_accuracy() -> None:
    scores = Tensor([[3.0, 1.0, 2.0], [-1.0, 5.0, 0.5]])
    assert F.topk_accuracy(scores, Tensor([2, 1])).item() == 0.5
    assert [a.item() for a in F.topk_accuracy(scores, Tensor([2, 1]), (1, 2))] == [0.5, 1.0]


def test_the_names_are_where_the_reference_has_them() -> None:
    for name in ("cross_entropy", "l1_loss", "square_loss", "hinge_loss", "binary_cross_entropy"):
        assert hasattr(F.nn, name) and hasattr(F.loss, name) and not hasattr(F, name)
    assert F.metric.topk_accuracy is F.topk_accuracy is F.utils.topk_accuracy
    assert F.elemwise.exp is F.exp and F.tensor.concat is F.concat and F.math.sum is F.sum and F.nn.relu is F.relu


def test_settings_may_be_numbers_of_numpy() -> None:
    x, half = Tensor(np.ones((2, 3, 4, 4), np.float32)), np.linspace(0, 1, 3)[1]
    assert F.dropout(x, half).dtype == np.float32
    assert F.full((2,), half).numpy().tolist() == [0.5, 0.5] and F.full((2,), half).dtype == np.float32
    assert F.full((1,), np.int64(3)).dtype == np.int32
    assert F.linspace(half, half + 1, 3).numpy().tolist() == [0.5, 1.0, 1.5]
    assert F.nn.pad(Tensor([1.0]), ((0, 1),), "constant", half).numpy().tolist() == [1.0, 0.5]
    mean, var = Tensor(np.ones((1, 3, 1, 1), np.float32)), Tensor(np.ones((1, 3, 1, 1), np.float32))
    F.nn.batch_norm(x * 3, mean, var, training=True, momentum=half)
    np.testing.assert_allclose(mean.numpy().reshape(-1), [2.0, 2.0, 2.0])
