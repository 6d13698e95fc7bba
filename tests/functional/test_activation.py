"""Activations and the softmax family: values, stability, gradients, corners."""

from __future__ import annotations

from math import erf
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor

from . import gradients

X = np.float32([-7.5, -2.0, -0.6, 0.4, 1.7, 4.0, 7.3])
SIGMOID = 1 / (1 + np.exp(-X))
FORMULAS: dict[str, np.ndarray] = {
    "sigmoid": SIGMOID,
    "hsigmoid": np.clip(X + 3, 0, 6) / 6,
    "relu": np.maximum(X, 0),
    "relu6": np.clip(X, 0, 6),
    "hswish": X * np.clip(X + 3, 0, 6) / 6,
    "leaky_relu": np.where(X > 0, X, 0.01 * X),
    "silu": X * SIGMOID,
    "gelu": X * np.float32([(1 + erf(x / 2**0.5)) / 2 for x in X]),
    "softplus": np.log1p(np.exp(X)),
    "logsigmoid": np.log(SIGMOID),
}


def test_values() -> None:
    found = {name: getattr(F.nn, name)(Tensor(X)) for name in FORMULAS}
    for name, wanted in FORMULAS.items():
        np.testing.assert_allclose(found[name].numpy(), wanted, rtol=1e-5, atol=1e-6, err_msg=name)
        assert getattr(F, name) is getattr(F.nn, name)


@pytest.mark.parametrize("name", FORMULAS)
def test_gradient(name: str) -> None:
    gradients.check(getattr(F.nn, name), X)


def test_prelu() -> None:
    slope = np.float32([0.25])
    np.testing.assert_allclose(F.nn.prelu(Tensor(X), Tensor(slope)).numpy(), np.where(X > 0, X, slope * X))
    gradients.check(F.nn.prelu, X, slope)


def test_no_overflow() -> None:
    x = Tensor([-200.0, 200.0])
    np.testing.assert_array_equal(F.nn.softplus(x).numpy(), [0, 200])
    np.testing.assert_array_equal(F.nn.logsigmoid(x).numpy(), [-200, 0])
    np.testing.assert_array_equal(F.nn.softmax(x).numpy(), [0, 1])
    np.testing.assert_array_equal(F.nn.logsoftmax(x, 0).numpy(), [-400, 0])
    assert F.nn.logsumexp(x, 0).item() == 200


def test_nan_as_in_the_reference() -> None:
    x = Tensor([np.nan])
    assert F.nn.relu(x).item() == 0 and F.nn.relu6(x).item() == 6 and np.isnan(F.nn.sigmoid(x).item())


def test_dtypes() -> None:
    n = Tensor([-1, 7])
    assert F.nn.relu(n).tolist() == [0, 7] and F.nn.relu6(n).dtype == np.int32
    assert F.nn.softplus(n).dtype == F.nn.hsigmoid(n).dtype == np.float32
    for name in ("sigmoid", "silu", "gelu", "hswish"):
        with pytest.raises(RuntimeError, match=name):
            getattr(F.nn, name)(n)
        assert getattr(F.nn, name)(Tensor(np.float16([1.0]))).dtype == np.float16


def softmax(x: np.ndarray, axis: Any) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize(("shape", "axis"), [((3,), 0), ((2, 3), 1), ((2, 3, 2), 0), ((2, 3, 1, 2), 1)])
def test_default_axis_of_softmax(shape: tuple[int, ...], axis: int) -> None:
    x = np.float32(np.random.default_rng(0).normal(size=shape))
    np.testing.assert_allclose(F.nn.softmax(Tensor(x)).numpy(), softmax(x, axis), rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, -1, [0, 1]])
def test_softmax_family(axis: Any) -> None:
    x = np.float32([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]])
    over = tuple(axis) if isinstance(axis, list) else axis
    np.testing.assert_allclose(F.nn.softmax(Tensor(x), axis).numpy(), softmax(x, over), rtol=1e-5)
    np.testing.assert_allclose(F.nn.logsoftmax(Tensor(x), axis).numpy(), np.log(softmax(x, over)), rtol=1e-5)
    np.testing.assert_allclose(F.nn.logsumexp(Tensor(x), axis).numpy(), np.log(np.exp(x).sum(over)), rtol=1e-5)
    for fn in (F.nn.softmax, F.nn.logsoftmax, F.nn.logsumexp):
        gradients.check(lambda t, fn=fn: fn(t, axis), x)


def test_logsumexp_keeps_other_dimensions_of_size_one() -> None:
    x = np.zeros((2, 1, 4), np.float32)
    assert F.nn.logsumexp(Tensor(x), 2).shape == (2, 1)
    assert F.nn.logsumexp(Tensor(x), 2, keepdims=True).shape == (2, 1, 1)


def test_softmax_without_such_a_dimension() -> None:
    with pytest.raises(RuntimeError, match="axis 2"):
        F.nn.softmax(Tensor([[1.0]]), 2)
