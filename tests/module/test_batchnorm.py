"""Batch normalisation: training, evaluation, freezing, running statistics and state dicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.graph import counters
from megengine.jit import trace


def normalised(x: np.ndarray, mean: Any, var: Any, eps: float = 1e-5) -> np.ndarray:
    shape = (1, -1, *[1] * (x.ndim - 2))
    return (x - np.reshape(mean, shape)) / np.sqrt(np.reshape(var, shape) + eps)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (M.BatchNorm1d, (8, 3)),
        (M.BatchNorm1d, (4, 3, 5)),
        (M.BatchNorm2d, (2, 3, 4, 5)),
        (M.SyncBatchNorm, (8, 3)),
        (M.SyncBatchNorm, (4, 3, 5)),
        (M.SyncBatchNorm, (2, 3, 4, 5)),
    ],
)
def test_training_evaluation_and_freezing(kind: Any, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    layer, x = kind(3, momentum=0.75), rng.normal(2, 3, shape).astype("float32")
    axes = (0, *range(2, x.ndim))
    count = x.size // 3
    mean, var = x.mean(axes), x.var(axes)
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), normalised(x, mean, var), rtol=1e-4, atol=1e-4)
    running = 0.25 * mean, 0.75 + 0.25 * var * count / (count - 1)
    for _ in range(2):
        np.testing.assert_allclose(layer.running_mean.numpy().reshape(-1), running[0], rtol=1e-5)
        np.testing.assert_allclose(layer.running_var.numpy().reshape(-1), running[1], rtol=1e-5)
        layer.eval()
        np.testing.assert_allclose(layer(Tensor(x)).numpy(), normalised(x, *running), rtol=1e-4, atol=1e-4)
        layer.train()
        layer.freeze = True
        np.testing.assert_allclose(layer(Tensor(x)).numpy(), normalised(x, *running), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [M.BatchNorm2d, M.SyncBatchNorm])
def test_without_running_statistics_those_of_the_batch_count(kind: Any, rng: np.random.Generator) -> None:
    x = rng.normal(2, 3, (2, 3, 4, 5)).astype("float32")
    expected = normalised(x, x.mean((0, 2, 3)), x.var((0, 2, 3)))
    layer = kind(3, track_running_stats=False)
    assert layer.running_mean is None and list(layer.buffers()) == []
    switched = kind(3)
    switched.track_running_stats = False
    for bn in (layer, switched):
        bn.eval()
        np.testing.assert_allclose(bn(Tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-4)
    assert not switched.running_mean.numpy().any()
    layer.track_running_stats = True
    with pytest.raises(AssertionError, match="track_running_stats=False has none to track"):
        layer(Tensor(x))


@pytest.mark.parametrize("freeze", [False, True])
def test_frozen_parameters_have_no_gradient(freeze: bool) -> None:
    layer, x = M.BatchNorm2d(2, freeze=freeze), Tensor(np.arange(8, dtype="float32").reshape(2, 2, 2, 1))
    with GradManager().attach([x, *layer.parameters()]) as manager:
        manager.backward((layer(x) ** 2).sum())
    assert [p.grad is None for p in layer.parameters()] == [freeze] * 2
    assert x.grad is not None


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (M.BatchNorm1d(3), (2, 3, 4, 5), r"BatchNorm1d: expected 2D or 3D input \(got 4D input\)"),
        (M.BatchNorm2d(3), (2, 3), r"BatchNorm2d: expected 4D input \(got 2D input\)"),
        (M.SyncBatchNorm(3), (2, 3, 1, 1, 1), r"SyncBatchNorm: expected 2D, 3D or 4D input \(got 5D input\)"),
    ],
)
def test_inputs_of_other_dimensions(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(F.ones(shape))


def test_another_number_of_channels() -> None:
    with pytest.raises(RuntimeError, match="3 channels"):
        M.BatchNorm2d(4)(F.ones((2, 3, 1, 1)))
    with pytest.raises(AssertionError, match="track_running_stats=True"):
        M.BatchNorm2d(3, track_running_stats=False, freeze=True)


@pytest.mark.parametrize("layer", [M.BatchNorm2d(3), M.GroupNorm(1, 3), M.InstanceNorm(3), M.LayerNorm((3, 1))])
def test_states_are_flat_and_load_in_both_layouts(layer: Any) -> None:
    shapes = {key: tensor.shape for key, tensor in layer.named_tensors()}
    state = layer.state_dict()
    assert list(state) == sorted(shapes) and all(v.shape == (3,) for v in state.values())
    for factor, shape in ((2, (3,)), (3, layer.weight.shape)):
        layer.load_state_dict({key: np.reshape(np.full(3, factor, "float32"), shape) for key in state})
        assert {key: tensor.shape for key, tensor in layer.named_tensors()} == shapes
        assert layer.weight.numpy().reshape(-1).tolist() == [factor] * 3


def test_general_norm_keeps_its_shape_in_states() -> None:
    assert M.GeneralNorm((3, 1), (0, 1)).state_dict()["weight"].shape == (3, 1)


def test_general_norm_without_parameters(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    layer = M.GeneralNorm(normalized_axis=(-3, 2), affine=False)
    expected = (x - x.mean((0, 2), keepdims=True)) / np.sqrt(x.var((0, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert layer(Tensor(x[..., None])).shape == (2, 3, 4, 1)


def test_a_traced_layer_updates_its_statistics(rng: np.random.Generator) -> None:
    layer, other = M.BatchNorm2d(2), M.BatchNorm2d(2)
    run = trace(layer, without_host=True)
    for _ in range(4):
        x = Tensor(rng.normal(1, 2, (4, 2, 3, 3)).astype("float32"))
        np.testing.assert_allclose(run(x).numpy(), other(x).numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.running_mean.numpy(), other.running_mean.numpy(), rtol=1e-5)


@pytest.mark.usefixtures("compiled")
def test_training_compiles_once(rng: np.random.Generator) -> None:
    layer = M.BatchNorm2d(2)
    x = Tensor(rng.normal(size=(4, 2, 3, 3)).astype("float32"))
    seen = []
    for _ in range(4):
        layer(x).numpy()
        seen.append(sum(counters.compilations.values()))
        layer.momentum *= 0.9
    assert seen[-1] == seen[-2] == seen[1]


_KINDS = [M.BatchNorm1d, M.BatchNorm2d, M.SyncBatchNorm]


def _as_input_of(kind: Any, *sizes: int) -> tuple[int, ...]:
    return sizes if kind is M.BatchNorm1d else (*sizes, 1, 1)


@pytest.mark.parametrize("kind", _KINDS)
def test_a_batch_without_elements_leaves_the_statistics(kind: Any) -> None:
    layer = kind(3)
    layer(Tensor(np.arange(6, dtype=np.float32).reshape(_as_input_of(kind, 2, 3))))
    mean, var = layer.running_mean.numpy(), layer.running_var.numpy()
    gm = GradManager().attach(layer.parameters())
    with gm:
        gm.backward(layer(Tensor(np.zeros(_as_input_of(kind, 0, 3), np.float32))))
    np.testing.assert_array_equal(layer.running_mean.numpy(), mean)
    np.testing.assert_array_equal(layer.running_var.numpy(), var)
    assert not layer.weight.grad.numpy().any() and not layer.bias.grad.numpy().any()


@pytest.mark.parametrize("kind", _KINDS)
def test_one_element_has_a_mean_and_no_variance(kind: Any) -> None:
    layer = kind(2)
    layer(Tensor(np.full(_as_input_of(kind, 1, 2), 3, np.float32)))
    np.testing.assert_allclose(layer.running_mean.numpy().reshape(-1), 0.3, rtol=1e-6)
    np.testing.assert_array_equal(layer.running_var.numpy().reshape(-1), 1)


@pytest.mark.parametrize("eps_mode", ["additive", "max"])
@pytest.mark.parametrize(("images", "mean", "var"), [(0, 0.5, 2.0), (1, 0.75, 2.0)])
def test_statistics_given_to_functions(eps_mode: str, images: int, mean: float, var: float) -> None:
    running = Tensor([0.5, 0.5]), Tensor([2.0, 2.0])
    x = Tensor(np.ones((images, 2, 1, 1), np.float32))
    F.nn.sync_batch_norm(x, *running, training=True, momentum=0.5, eps_mode=eps_mode)
    assert [r.tolist() for r in running] == [[mean] * 2, [var] * 2]


def test_an_empty_batch_under_trace() -> None:
    layer = M.BatchNorm2d(2)
    step = trace(lambda x: layer(x))
    for images in (0, 0, 2, 0):
        step(Tensor(np.ones((images, 2, 3, 3), np.float32)))
    np.testing.assert_allclose(layer.running_mean.numpy().reshape(-1), 0.1, rtol=1e-6)
