"""Normalisations against their formulas, and batch norm's running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, graph

from . import gradients

X = np.float32(np.random.default_rng(4).normal(size=(3, 4, 2, 2)))
W = np.float32([1.0, 2.0, 0.5, -1.0])
B = np.float32([0.0, 1.0, -1.0, 0.5])
EPS = 1e-5


def standardised(x: np.ndarray, axes: Any) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPS)


def by_channel(p: np.ndarray) -> np.ndarray:
    return p.reshape(1, 4, 1, 1)


def close(found: Tensor, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_layer_norm() -> None:
    close(F.nn.layer_norm(Tensor(X), (2, 2), False), standardised(X, (2, 3)))
    w, b = np.float32([[1, 2], [3, 4]]), np.float32([[0, 1], [2, 3]])
    close(F.nn.layer_norm(Tensor(X), (2, 2), True, Tensor(w), Tensor(b.ravel())), standardised(X, (2, 3)) * w + b)
    gradients.check(lambda x, w, b: F.nn.layer_norm(x, 4, True, w, b), X[0, :, :, 0].T.copy(), W, B, tolerance=1e-2)


def test_general_norm() -> None:
    close(F.nn.general_norm(Tensor(X), (1, -1), False), standardised(X, (1, 3)))
    found = F.nn.general_norm(Tensor(X), 1, True, Tensor(W), Tensor(B))
    close(found, standardised(X, 1) * by_channel(W) + by_channel(B))


def test_group_and_instance_norm() -> None:
    grouped = standardised(X.reshape(3, 2, -1), 2).reshape(X.shape)
    close(F.nn.group_norm(Tensor(X), 2, False), grouped)
    close(F.nn.group_norm(Tensor(X), 2, True, Tensor(W), Tensor(B)), grouped * by_channel(W) + by_channel(B))
    close(F.nn.instance_norm(Tensor(X), False), standardised(X, (2, 3)))
    gradients.check(lambda x, w: F.nn.group_norm(x, 2, True, w, Tensor(B)), X[:1], W, tolerance=2e-2)


@pytest.mark.parametrize("shape", [(4,), (1, 4, 1, 1)])
def test_batch_norm_in_training(shape: tuple[int, ...]) -> None:
    mean, var = F.zeros(shape), F.ones(shape)
    found = F.nn.batch_norm(Tensor(X), mean, var, Tensor(W), Tensor(B), training=True, momentum=0.75)
    close(found, standardised(X, (0, 2, 3)) * by_channel(W) + by_channel(B))
    close(mean, 0.25 * X.mean((0, 2, 3)).reshape(shape))
    close(var, (0.75 + 0.25 * X.var((0, 2, 3), ddof=1)).reshape(shape))


@pytest.mark.parametrize("mean", [0, 10, 100])
def test_batch_norm_in_training_keeps_its_digits(mean: int) -> None:
    x = (np.random.default_rng(0).standard_normal((16, 8, 32, 32)) + mean).astype(np.float32)
    wide = x.astype(np.float64)
    centred = wide - wide.mean((0, 2, 3), keepdims=True)
    wanted = centred / np.sqrt(wide.var((0, 2, 3), keepdims=True) + 1e-5)
    found = F.nn.batch_norm(Tensor(x), weight=F.ones((1, 8, 1, 1)), bias=F.zeros((1, 8, 1, 1)), training=True)
    # One rounding of the input, relative to what remains of it, and half as much for the sums that oneDNN takes in blocks.
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=2e-6 * (1 + mean / 10))


def test_batch_norm_that_returns_its_statistics() -> None:
    mean = F.zeros((4,))
    out, new_mean, new_var = F.nn.batch_norm(Tensor(X), mean, training=True, inplace=False)
    assert new_var is None and not mean.numpy().any()
    close(new_mean, 0.1 * X.mean((0, 2, 3)))
    close(out, standardised(X, (0, 2, 3)))


def test_batch_norm_in_inference() -> None:
    mean, var = np.float32([0.1, 0.2, 0.3, 0.4]), np.float32([1, 2, 3, 4])
    wanted = (X - by_channel(mean)) / np.sqrt(by_channel(var) + EPS)
    close(F.nn.batch_norm(Tensor(X), Tensor(mean), Tensor(var)), wanted)
    close(F.nn.batch_norm(Tensor(X[:, :, 0, 0]), Tensor(mean), Tensor(var)), wanted[:, :, 0, 0])
    half = F.nn.batch_norm(Tensor(X.astype(np.float16)), Tensor(mean), Tensor(var))
    assert half.dtype == np.float16


def test_batch_norm_gradient() -> None:
    gradients.check(
        lambda x, w, b: F.nn.batch_norm(x, weight=w, bias=b, training=True), X[:, :2, 0], W[:2], B[:2], tolerance=2e-2
    )


@pytest.mark.usefixtures("compiled")
def test_a_changing_momentum_compiles_nothing() -> None:
    def step(momentum: float) -> None:
        mean = F.zeros((4,))
        F.nn.batch_norm(Tensor(X), mean, F.ones((4,)), training=True, momentum=momentum)
        mean.numpy()

    step(0.9)
    before = graph.counters.compilations.total()
    step(0.8)
    assert graph.counters.compilations.total() == before


def test_local_response_norm() -> None:
    squares = np.pad(X**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    window = squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]
    close(F.nn.local_response_norm(Tensor(X), 3, 1.0, 0.5, 0.75), X / (1 + 0.5 * window) ** 0.75)
    gradients.check(lambda x: F.nn.local_response_norm(x, 3, 1.0, 0.5, 0.75), X[:1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: F.nn.batch_norm(x), AssertionError, "running_mean"),
        (lambda x: F.nn.batch_norm(x, weight=Tensor([1.0]), training=True), RuntimeError, "4 channels"),
        (lambda x: F.nn.batch_norm(x[0, 0, 0], training=True), RuntimeError, "channel"),
        (lambda x: F.nn.group_norm(x, 3, False), RuntimeError, "3 groups"),
        (lambda x: F.nn.group_norm(x, 2, True), AssertionError, "weight and bias"),
        (lambda x: F.nn.layer_norm(x, 3, False), RuntimeError, "normalized_shape"),
        (lambda x: F.nn.general_norm(x, (2, 1), False), AssertionError, "increasing"),
        (lambda x: F.nn.general_norm(x, 1, True, Tensor([1.0]), Tensor([1.0])), RuntimeError, "weight"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(Tensor(X))


@pytest.mark.parametrize(
    ("mode", "name"), [("constant", "constant"), ("edge", "edge"), ("replicate", "edge"), ("reflect", "reflect")]
)
def test_pad(mode: str, name: Any) -> None:
    widths = ((0, 1), (2, 1))
    close(F.nn.pad(Tensor(X), widths, mode), np.pad(X, (*widths, (0, 0), (0, 0)), mode=name))
    gradients.check(lambda x: F.nn.pad(x, widths, mode), X[:2, :, 0, 0])


def test_pad_refuses() -> None:
    for widths, mode, error in (
        (((1, 1),), "wrap", AssertionError),
        (((-1, 0),), "constant", RuntimeError),
        (((3, 0),), "reflect", RuntimeError),
    ):
        with pytest.raises(error, match="pad"):
            F.nn.pad(Tensor(X), widths, mode)
    assert F.nn.pad(Tensor([1]), ((1, 0),), constant_value=2.7).tolist() == [2, 1]


def test_pixel_shuffle() -> None:
    wanted = X.reshape(3, 1, 2, 2, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(3, 1, 4, 4)
    close(F.nn.pixel_shuffle(Tensor(X), 2), wanted)
    with pytest.raises(RuntimeError, match="multiple"):
        F.nn.pixel_shuffle(Tensor(X), 3)


@pytest.mark.parametrize("name", ["layer_norm", "group_norm", "instance_norm", "general_norm"])
def test_the_result_has_the_inputs_dtype_beside_wider_parameters(name: str) -> None:
    x = Tensor(np.arange(48).reshape(2, 4, 3, 2).astype("float16"))
    w, b = Tensor(np.ones(4, "float32")), Tensor(np.zeros(4, "float32"))
    call = {
        "layer_norm": lambda: F.nn.layer_norm(x.transpose(0, 2, 3, 1), (4,), True, w, b),
        "group_norm": lambda: F.nn.group_norm(x, 2, True, w, b),
        "instance_norm": lambda: F.nn.instance_norm(x, True, w, b),
        "general_norm": lambda: F.nn.general_norm(x.transpose(0, 2, 3, 1), (3,), True, w, b),
    }[name]
    assert call().dtype == np.float16
