"""Convolutions restricted to regions, against their formula in NumPy; gradients against slopes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager

from . import gradients

RNG = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return np.float32(RNG.normal(size=shape))


def restricted(
    x: np.ndarray,
    w: np.ndarray,
    rin: np.ndarray,
    rout: np.ndarray,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> np.ndarray:
    """The sum, element by element."""
    groups, outputs, inputs, high, wide = w.shape
    out = np.zeros((len(x), groups * outputs, *rout.shape[1:]))
    for n, o, y, x_ in np.ndindex(*out.shape):
        group = o // outputs
        for c, i, j in itertools.product(range(inputs), range(high), range(wide)):
            row, column = stride * y + dilation * i - padding, stride * x_ + dilation * j - padding
            inside = 0 <= row < x.shape[2] and 0 <= column < x.shape[3]
            if inside and rin[n, row, column] == rout[n, y, x_]:
                out[n, o, y, x_] += x[n, group * inputs + c, row, column] * w[group, o % outputs, c, i, j]
    return out


CASES = [
    # groups, channels, kernel, settings, dtype of the regions
    (1, (3, 2), (3, 2), {}, "int32"),
    (2, (4, 6), (2, 3), {"padding": 1, "dilation": 2}, "uint8"),
    (3, (3, 3), (5, 5), {"padding": 2}, "int32"),
    (1, (2, 2), (3, 3), {"stride": 2, "padding": 1}, "uint8"),
]


def operands(groups: int, channels: tuple[int, int], kernel: tuple[int, int], settings: Any, dtype: str) -> Any:
    x, w = normal(2, channels[0], 6, 7), normal(groups, channels[1] // groups, channels[0] // groups, *kernel)
    shape = F.conv2d(Tensor(x[:, :1]), Tensor(w[0, :1, :1]), **settings).shape[2:]
    rin, rout = RNG.integers(0, 3, (2, 6, 7)).astype(dtype), RNG.integers(0, 3, (2, *shape)).astype(dtype)
    return x, w, rin, rout, normal(1, channels[1], 1, 1)


@pytest.mark.parametrize("case", CASES)
def test_as_the_formula(case: Any) -> None:
    x, w, rin, rout, b = operands(*case)
    y = F.region_restricted_conv(*map(Tensor, (x, w, rin, rout, b)), groups=case[0], **case[3])
    np.testing.assert_allclose(y.numpy(), restricted(x, w, rin, rout, **case[3]) + b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES[1:3])
def test_gradients(case: Any) -> None:
    x, w, rin, rout, b = operands(*case)
    regions = Tensor(rin), Tensor(rout)

    def function(x: Any, w: Any, b: Any) -> Any:
        return F.region_restricted_conv(x, w, *regions, b, groups=case[0], **case[3])

    found = gradients.gradients(function, x, w, b)
    # The sum is linear in each operand: the slope along a direction is what the operand moved by that direction gives.
    for k, gradient in enumerate(found):
        direction = normal(*(x, w, b)[k].shape)
        moved = [*map(Tensor, (x, w, b))]
        moved[k] += Tensor(direction)
        change = gradients.weighted(function(*moved)) - gradients.weighted(function(*map(Tensor, (x, w, b))))
        assert gradient is not None
        np.testing.assert_allclose((gradient * direction).sum(), change.item(), rtol=2e-3, atol=2e-3)


def test_one_region_is_a_convolution() -> None:
    x, w = normal(2, 4, 6, 6), normal(2, 3, 2, 3, 3)
    zeros = F.zeros((2, 6, 6), dtype="int32")
    found = F.region_restricted_conv(Tensor(x), Tensor(w), zeros, zeros, padding=1, groups=2)
    np.testing.assert_allclose(found.numpy(), F.conv2d(Tensor(x), Tensor(w), padding=1, groups=2).numpy(), atol=1e-4)
    half = F.region_restricted_conv(
        Tensor(x).astype("float16"), Tensor(w).astype("float16"), zeros, zeros, padding=1, groups=2
    )
    assert half.dtype == np.float16
    np.testing.assert_allclose(half.numpy(), found.numpy(), atol=5e-2)


def test_the_layer() -> None:
    layer = M.RegionRestrictedConv(2, 4, (3, 3), padding=1, dilation=1)
    assert layer.weight.shape == (1, 4, 2, 3, 3) and layer.bias is not None
    assert repr(layer) == "RegionRestrictedConv(2, 4, kernel_size=(3, 3), padding=(1, 1))"
    x, regions = normal(1, 2, 4, 4), np.arange(16, dtype=np.int32).reshape(1, 4, 4) // 4
    with GradManager().attach(layer.parameters()) as manager:
        y = layer(Tensor(x), Tensor(regions), Tensor(regions))
        manager.backward(y.sum())
    wanted = restricted(x, layer.weight.numpy(), regions, regions, padding=1) + layer.bias.numpy()
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.bias.grad.numpy(), np.full((1, 4, 1, 1), 16))
    with pytest.raises(ValueError, match="padding_mode"):
        M.RegionRestrictedConv(2, 4, 3, padding_mode="reflect")


def test_what_is_refused() -> None:
    x, w = Tensor(normal(1, 2, 4, 4)), Tensor(normal(1, 3, 2, 3, 3))
    rin, rout = F.zeros((1, 4, 4), dtype="int32"), F.zeros((1, 2, 2), dtype="int32")
    for change, message in (
        ({"rout": F.zeros((1, 4, 4), dtype="int32")}, r"rout has shape \(1, 4, 4\) instead of \(1, 2, 2\)"),
        ({"rin": rin.astype("float32")}, "both be int32 or both uint8"),
        ({"rin": rin.astype("uint8")}, "both be int32 or both uint8"),
        ({"groups": 2}, "with groups=2 the weight"),
        ({"dilation": 3}, "does not fit an input"),
        ({"weight": w[0]}, "they have shapes"),
        ({"bias": Tensor([1.0, 2.0, 3.0])}, r"a bias of shape \(3,\)"),
    ):
        with pytest.raises(RuntimeError, match=message):
            F.region_restricted_conv(**{"inp": x, "weight": w, "rin": rin, "rout": rout, **change})
