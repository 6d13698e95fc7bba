"""Scaled weights: the scales, what they do in training, and that evaluation is without them."""

from __future__ import annotations

import numpy as np
import pytest

import megengine.module as M
from megengine import Tensor
from megengine.experimental.weight_scaler import get_norm_mod_value, get_scaled_model

RNG = np.random.default_rng(5)


def network() -> M.Sequential:
    net = M.Sequential(M.Conv2d(2, 4, 3), M.ReLU(), M.Conv2d(4, 3, 1), M.BatchNorm2d(3), M.Conv2d(3, 2, 1))
    for parameter in net.parameters():
        parameter[...] = Tensor(RNG.normal(size=parameter.shape).astype("float32"))
    return net


def test_scales_are_powers_of_two_below_the_norm() -> None:
    for size, norm in ((3, 1.0), (50, 100.0)):
        weight = RNG.normal(size=size).astype("float32")
        scale = get_norm_mod_value(Tensor(weight), norm).item()
        assert np.log2(scale) % 1 == 0
        assert norm / 2 < scale * np.linalg.norm(weight) <= norm


def test_a_part_up_to_its_normalisation() -> None:
    net = network()
    x = Tensor(RNG.normal(size=(2, 2, 5, 5)).astype("float32"))
    net.train()
    plain, norms = net(x).numpy(), [np.linalg.norm(net[k].weight.numpy()) for k in (0, 2)]
    net.eval()
    evaluated = net(x).numpy()
    assert get_scaled_model(net, {"": ("NORM", 64.0)}, (1, 2, 5, 5)) is net
    assert not net.training and not hasattr(net[4], "weight_scale")
    scales = [net[k].weight_scale.item() for k in (0, 2)]
    assert scales == [2 ** np.floor(np.log2(64 / n)) for n in norms]
    assert [net[k].bias_scale.item() for k in (0, 2)] == [scales[0], scales[0] * scales[1]]
    np.testing.assert_array_equal(net(x).numpy(), evaluated)
    net.train()
    # The normalisation divides by the scale: nothing else differs.
    np.testing.assert_allclose(net(x).numpy(), plain, rtol=1e-3, atol=1e-3)
    assert np.linalg.norm(net[3].running_var.numpy()) > 100


def test_single_layers_and_constants() -> None:
    net = M.Sequential(M.Linear(3, 2), M.Linear(2, 2))
    x = Tensor(RNG.normal(size=(4, 3)).astype("float32"))
    plain = net[1](net[0](x) * 4)
    get_scaled_model(net, {"0": ("CONST", 4.0)}, (1, 3)).train()
    np.testing.assert_allclose(net(x).numpy(), plain.numpy(), rtol=1e-5)
    with pytest.raises(ValueError, match="input_shape is needed"):
        get_scaled_model(net, {})
