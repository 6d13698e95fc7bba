"""Sequential, Linear, Identity, Dropout, activations, Elemwise, Concat."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager


def layers(*sizes: int) -> M.Sequential:
    return M.Sequential(*[M.Dropout(size / 10) for size in sizes])


def test_sequential_calls_its_layers_in_order() -> None:
    net = M.Sequential(lambda x: x + 1, lambda x: x * 3)
    assert net(Tensor([1.0])).item() == 6
    x = Tensor([1.0])
    assert M.Sequential()(x) is x


@pytest.mark.parametrize("kind", [OrderedDict, dict])
def test_sequential_of_named_layers(kind: type) -> None:
    net = M.Sequential(kind([("second", M.Linear(1, 2)), ("first", M.Linear(2, 1))]))
    assert net.layer_keys == ["second", "first"] and net.layer_values == [net.second, net.first]
    assert [name for name, _ in net.named_children()] == ["first", "second"]
    assert net(Tensor([[1.0]])).shape == (1, 1)


def test_sequential_is_a_sequence() -> None:
    net = layers(0, 1, 2, 3, 4)
    assert len(net) == 5 and [layer.drop_prob for layer in net] == [0, 0.1, 0.2, 0.3, 0.4]
    assert net[-1].drop_prob == 0.4 and [layer.drop_prob for layer in net[1:4:2]] == [0.1, 0.3]
    assert net[1:3].layer_keys == ["1", "2"] and net[1:3][0] is net[1]
    relu = net[1] = M.ReLU()
    assert getattr(net, "1") is relu
    del net[0]
    assert net.layer_keys == ["1", "2", "3", "4"] and not hasattr(net, "0")
    del net[1:3]
    assert net.layer_keys == ["1", "4"] and net[0] is relu
    assert repr(net) == "Sequential(\n  (1): ReLU()\n  (4): Dropout(drop_prob=0.4)\n)"
    with pytest.raises(IndexError):
        net[2]


def test_sequences_may_be_nested() -> None:
    net = M.Sequential(layers(1), M.Sequential(layers(2), M.Linear(1, 1)))
    assert [name for name, _ in net.named_modules()] == ["", "0", "0.0", "1", "1.0", "1.0.0", "1.1"]


@pytest.mark.parametrize("layer", [[M.ReLU()], 3, None])
def test_sequential_refuses_what_cannot_be_called(layer: Any) -> None:
    with pytest.raises(TypeError, match="layer 0 is"):
        M.Sequential(layer)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 2, 3)])
def test_linear_and_its_gradient(shape: tuple[int, ...], bias: bool, rng: np.random.Generator) -> None:
    layer = M.Linear(3, 5, bias=bias)
    if bias:
        layer.bias[...] = Tensor(rng.normal(size=5))
    x = rng.normal(size=shape).astype("float32")
    with GradManager().attach(layer.parameters()) as manager:
        y = layer(Tensor(x))
        manager.backward(y.sum())
    weight = layer.weight.numpy()
    np.testing.assert_allclose(y.numpy(), x @ weight.T + (layer.bias.numpy() if bias else 0), rtol=1e-5, atol=1e-5)
    rows = x.reshape(-1, 3)
    np.testing.assert_allclose(layer.weight.grad.numpy(), np.tile(rows.sum(0), (5, 1)), rtol=1e-5, atol=1e-5)
    if bias:
        np.testing.assert_array_equal(layer.bias.grad.numpy(), np.full(5, len(rows)))
    else:
        assert layer.bias is None


def test_linear_starts_with_its_distribution() -> None:
    layer = M.Linear(400, 300)
    weight = layer.weight.numpy()
    assert abs(weight.mean()) < 5 / math.sqrt(400 * weight.size)
    assert weight.std() == pytest.approx(1 / math.sqrt(400), rel=0.02)
    assert not layer.bias.numpy().any()
    layer.reset_parameters()
    assert not np.array_equal(layer.weight.numpy(), weight)


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ((0, 3), ValueError, "in_features must be at least 1, got 0"),
        ((-1, 3), ValueError, "in_features must be at least 1, got -1"),
        ((3, -1), ValueError, "out_features must be at least 0, got -1"),
        ((2.5, 3), TypeError, "in_features must be an integer, got 2.5"),
        ((3, "a"), TypeError, "out_features must be an integer, got 'a'"),
    ],
)
def test_linear_refuses_bad_sizes(sizes: tuple[Any, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        M.Linear(*sizes)


def test_linear_refuses_other_inputs_where_it_is_called() -> None:
    with pytest.raises(RuntimeError, match=r"4"):
        M.Linear(3, 2)(Tensor(np.zeros((2, 4), "float32")))


def test_linear_relu() -> None:
    layer = M.LinearRelu(2, 3)
    x = Tensor([[1.0, -1.0]])
    np.testing.assert_array_equal(layer(x).numpy(), F.relu(F.linear(x, layer.weight, layer.bias)).numpy())
    assert repr(layer) == "LinearRelu(in_features=2, out_features=3, bias=True)"


def test_dropout_in_training_and_evaluation() -> None:
    drop = M.Dropout(0.25)
    x = Tensor(np.ones(4000, "float32"))
    values = drop(x).numpy()
    assert set(values) == {0.0, np.float32(1 / 0.75)} and np.mean(values == 0) == pytest.approx(0.25, abs=0.03)
    assert not np.array_equal(drop(x).numpy(), values)
    assert M.Dropout(0)(x) is x
    drop.eval()
    assert drop(x) is x
    with pytest.raises(AssertionError):
        M.Dropout(1.5)(x)


def test_identity_is_a_copy() -> None:
    x = Tensor([1.0, 2.0])
    y = M.Identity()(x)
    y[0] = 5
    assert x.numpy().tolist() == [1, 2] and y.numpy().tolist() == [5, 2]


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


X = np.array([[-3.0, -0.5, 0.0], [0.5, 2.0, 30.0]])
ACTIVATIONS = [
    (M.ReLU(), np.maximum(X, 0)),
    (M.LeakyReLU(), np.where(X > 0, X, X * 0.01)),
    (M.LeakyReLU(0.5), np.where(X > 0, X, X * 0.5)),
    (M.PReLU(), np.where(X > 0, X, X * 0.25)),
    (M.PReLU(init=0.5), np.where(X > 0, X, X * 0.5)),
    (M.Sigmoid(), 1 / (1 + np.exp(-X))),
    (M.SiLU(), X / (1 + np.exp(-X))),
    (M.GELU(), gelu(X)),
    (M.Softmax(), np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    (M.Softmax(axis=0), np.exp(X) / np.exp(X).sum(0, keepdims=True)),
]


@pytest.mark.parametrize(
    ("module", "wanted"), ACTIVATIONS, ids=[repr(m) + str(i) for i, (m, _) in enumerate(ACTIVATIONS)]
)
def test_activation(module: M.Module, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(module(Tensor(X)).numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_prelu_learns_a_slope_for_each_channel() -> None:
    layer = M.PReLU(3)
    assert layer.weight.shape == (1, 3, 1, 1) and M.PReLU().weight.shape == (1,)
    x = Tensor(-np.arange(1, 7, dtype="float32").reshape(1, 3, 2, 1))
    with GradManager().attach(layer.parameters()) as manager:
        manager.backward(layer(x).sum())
    assert layer.weight.grad.numpy().reshape(-1).tolist() == [-3, -7, -11]


A, B, C, D = (np.array(v, "float32") for v in ([-1.5, 0.5, 2.0], [2.0, -1.0, 0.5], [3.0, 4.0, 5.0], [-1.5, 0.5, 2.0]))
# What MegEngine 1.13.0 answers.
ELEMWISE = [
    ("h_swish", (A,), [-0.375, 0.291667, 1.666667]),
    ("HSIGMOID", (A,), [0.25, 0.583333, 0.833333]),
    ("softplus", (A,), [0.201413, 0.974077, 2.126928]),
    ("SIGN", (A,), [-1, 1, 1]),
    ("ROUND", (A,), [-2, 1, 2]),
    ("LEQ", (A, B), [1, 0, 0]),
    ("MOD", (A, B), [-1.5, 0.5, 0]),
    ("FLOOR_DIV", (A, B), [-1, -1, 4]),
    ("PRELU", (A, B), [-3, 0.5, 2]),
    ("LOG_SUM_EXP", (A, B), [2.029750, 0.701413, 2.201413]),
    ("FUSE_ADD_H_SWISH", (A, B), [0.291667, -0.208333, 2.291667]),
    ("FUSE_ADD_SIGMOID", (A, B), [0.622459, 0.377541, 0.924142]),
    ("erf", (A,), [-0.966105, 0.520500, 0.995322]),
    ("ERFC", (A,), [1.966105, 0.479500, 0.004678]),
    ("erfinv", (np.array([0.3, -0.5, 0.99], "float32"),), [0.272463, -0.476936, 1.821386]),
    ("ERFCINV", (np.array([0.3, 0.99, 1.5], "float32"),), [0.732869, 0.008862, -0.476936]),
    ("fuse_mul_add3", (A, B, C), [0, 3.5, 6]),
    ("FUSE_MUL_ADD4", (A, B, C, D), [-7.5, 1.5, 11]),
]


@pytest.mark.parametrize(("method", "operands", "wanted"), ELEMWISE, ids=[row[0] for row in ELEMWISE])
def test_elemwise(method: str, operands: tuple[np.ndarray, ...], wanted: list[float]) -> None:
    y = M.Elemwise(method)(*map(Tensor, operands))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), wanted, atol=2e-6)


def test_elemwise_refuses_bad_arguments() -> None:
    with pytest.raises(ValueError, match="no method 'nosuch'"):
        M.Elemwise("nosuch")
    with pytest.raises(RuntimeError, match="takes 2 tensors, got 1"):
        M.Elemwise("add")(Tensor([1.0]))


def test_concat() -> None:
    x = Tensor([[1.0, 2.0]])
    assert M.Concat()([x, x]).shape == (2, 2) and M.Concat()((x, x), axis=1).shape == (1, 4)


@pytest.mark.parametrize(
    ("layer", "settings"),
    [(M.LayerNorm, (4,)), (M.GroupNorm, (2, 4)), (M.InstanceNorm, (4,)), (M.GeneralNorm, (4, 1))],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_norms_begin_with_what_a_subclass_resets_them_to(layer: Any, settings: tuple[int, ...]) -> None:
    class Small(layer):
        def reset_parameters(self) -> None:
            super().reset_parameters()
            M.init.fill_(self.weight, 0.1)

    assert (Small(*settings).weight.numpy() == np.float32(0.1)).all()
    assert (layer(*settings).weight.numpy() == 1).all()
