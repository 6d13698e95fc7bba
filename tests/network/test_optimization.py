"""Options of ``optimize_for_inference``: the same numbers to rounding, with fewer operators or in float16."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.graph.exchange import Model
from megengine.jit import trace
from megengine.network import files
from megengine.network.running import Runnable

RNG = np.random.default_rng(1)


def read(function: Any, data: np.ndarray, **options: Any) -> Model:
    traced = trace(function, symbolic=True, capture_as_const=True)
    traced(Tensor(data))
    file = io.BytesIO()
    traced.dump(file, **options)
    file.seek(0)
    return files.read(file)


def norm_of(channels: int) -> M.BatchNorm2d:
    norm = M.BatchNorm2d(channels)
    for held in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        held[...] = Tensor(RNG.uniform(0.5, 2, held.shape).astype(np.float32))
    return norm


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_batch_norms_are_folded(groups: int, bias: bool) -> None:
    net = M.Sequential(M.Conv2d(4, 6, 3, padding=1, groups=groups, bias=bias), norm_of(6), M.ReLU())
    net.eval()
    data = RNG.standard_normal((2, 4, 5, 5)).astype(np.float32)
    expected = net(Tensor(data)).numpy()
    model = read(net, data, enable_fuse_conv_bias_nonlinearity=True)
    assert [e.name for e in model.function.equations] == ["conv", "relu"]
    assert [v.name for v in model.function.constants] == ["0.weight", "0.bias"]
    np.testing.assert_allclose(Runnable(model)([Tensor(data)])[0].numpy(), expected, rtol=1e-4, atol=1e-5)
    assert [e.name for e in read(net, data).function.equations] == ["conv", "batch_norm", "relu"]


def test_a_convolution_that_others_read_stays() -> None:
    conv, norm = M.Conv2d(3, 3, 1), norm_of(3)
    norm.eval()

    def function(x: Any) -> Any:
        y = conv(x)
        return norm(y) + y

    data = RNG.standard_normal((1, 3, 4, 4)).astype(np.float32)
    model = read(function, data, enable_fuse_conv_bias_nonlinearity=True)
    assert [e.name for e in model.function.equations] == ["conv", "batch_norm", "add"]
    assert np.isfinite(Runnable(model)([Tensor(data)])[0].numpy()).all()


def test_float16_between_operators() -> None:
    layer = M.Linear(4, 3)
    data = RNG.standard_normal((2, 4)).astype(np.float32)
    model = read(lambda x: F.softmax(layer(x)).sum(axis=1), data, enable_ioc16=True)
    *within, last = model.function.equations
    assert {v.aval.dtype.name for e in within for v in e.outputs} == {"float16"} and last.name == "cast"
    assert model.function.inputs[0].aval.dtype == model.function.outputs[0].aval.dtype == np.float32
    np.testing.assert_allclose(Runnable(model)([Tensor(data)])[0].numpy(), [1, 1], atol=1e-2)


def test_options_of_layouts_change_nothing_but_the_metadata() -> None:
    data = np.ones((2, 2), np.float32)
    plain, asked = read(F.exp, data), read(F.exp, data, enable_nchw88=True, enable_hwcd4=False)
    assert str(plain.function) == str(asked.function)
    assert asked.metadata is not None and asked.metadata["enable_nchw88"] and "enable_hwcd4" not in asked.metadata
