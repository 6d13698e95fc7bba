"""Convolution modules: what golden cases of layers do not ask."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor

ALL = [M.Conv1d, M.Conv2d, M.Conv3d, M.ConvTranspose2d, M.ConvTranspose3d, M.DeformableConv2d]


def biased(layer: Any, rng: np.random.Generator) -> Any:
    layer.bias._reset(Tensor(rng.normal(size=layer.bias.shape).astype("float32")))
    return layer


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kind", [M.Conv1d, M.ConvTranspose2d, M.ConvTranspose3d])
def test_groups_are_convolutions_side_by_side(kind: Any, groups: int, rng: np.random.Generator) -> None:
    layer = biased(kind(4, 6, 2, stride=2, padding=1, groups=groups), rng)
    spatial = layer._spatial
    x = Tensor(rng.normal(size=(2, 4, *[5] * spatial)).astype("float32"))
    weight = layer.weight.reshape(groups, -1, *layer.weight.shape[-spatial - 1 :])
    part = kind(4 // groups, 6 // groups, 2, stride=2, padding=1)
    assert part.weight.shape == weight[0].shape
    found = []
    for g in range(groups):
        part.weight._reset(weight[g])
        part.bias._reset(F.split(layer.bias, groups, axis=1)[g])
        found.append(part(F.split(x, groups, axis=1)[g]))
    np.testing.assert_allclose(layer(x).numpy(), F.concat(found, axis=1).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_padding_modes(mode: str, rng: np.random.Generator) -> None:
    x = Tensor(rng.normal(size=(1, 2, 5, 6)).astype("float32"))
    layer = biased(M.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=mode), rng)
    padded = F.nn.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)), mode)
    np.testing.assert_allclose(layer(x).numpy(), F.conv2d(padded, layer.weight, layer.bias).numpy(), rtol=1e-5)
    with pytest.raises(AssertionError, match="padding_mode must be 'zeros' or 'reflect' or 'replicate', not 'same'"):
        M.Conv1d(2, 3, 3, padding_mode="same")


def test_a_local_convolution_with_dilation(rng: np.random.Generator) -> None:
    layer = M.LocalConv2d(2, 3, 6, 5, 2, stride=2, padding=1, dilation=2)
    x = Tensor(rng.normal(size=(1, 2, 6, 5)).astype("float32"))
    shared = M.Conv2d(2, 3, 2, stride=2, padding=1, dilation=2, bias=False)
    out = shared(x)
    assert layer(x).shape == out.shape
    kernels = shared.weight.numpy().transpose(1, 2, 3, 0)
    layer.weight._reset(Tensor(np.broadcast_to(kernels, layer.weight.shape)))
    np.testing.assert_allclose(layer(x).numpy(), out.numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"windows of \(4, 4\) do not fit in an input of \(3, 9\)"):
        M.LocalConv2d(2, 3, 3, 9, 4)


@pytest.mark.parametrize("kind", ALL)
def test_bad_settings(kind: Any) -> None:
    with pytest.raises(ValueError, match="in_channels must be divisible by groups, 3 is not divisible by 2"):
        kind(3, 4, 3, groups=2)
    with pytest.raises(ValueError, match="out_channels must be divisible by groups, 3 is not divisible by 2"):
        kind(4, 3, 3, groups=2)
    for settings in ({"groups": 0}, {"stride": 0}, {"padding": -1}, {"dilation": 0}):
        (name,) = settings
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least"):
            kind(4, 4, 3, **settings)
    with pytest.raises(ValueError, match="kernel_size must be"):
        kind(4, 4, (3, 3, 3, 3))
    with pytest.raises(TypeError, match="in_channels"):
        kind(2.5, 4, 3)


@pytest.mark.parametrize("kind", [M.Conv1d, M.Conv2d, M.ConvTranspose2d, M.DeformableConv2d, M.ConvBn2d])
def test_names(kind: Any) -> None:
    assert kind(1, 2, 3, name="first").name == "first"


def test_representations() -> None:
    assert repr(M.Conv1d(4, 6, 3, 2, groups=2)) == "Conv1d(4, 6, kernel_size=3, stride=2, groups=2)"
    assert repr(M.Conv2d(4, 6, [3, 3], [1, 1])) == "Conv2d(4, 6, kernel_size=(3, 3))"


def test_copies_compute_the_same(rng: np.random.Generator) -> None:
    layer = biased(M.ConvBnRelu2d(2, 3, 3).conv, rng)
    x = Tensor(rng.normal(size=(1, 2, 5, 5)).astype("float32"))
    for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(same(x).numpy(), layer(x).numpy())


def test_relu_layers() -> None:
    x = F.ones((1, 2, 4, 4))
    for kind in (M.ConvRelu2d, M.ConvTransposeRelu2d, M.ConvBnRelu2d, M.ConvTransposeBnRelu2d):
        assert kind(2, 8, 3)(x).numpy().min() == 0
