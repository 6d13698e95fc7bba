"""Products of integers brought to the steps of the result, in both tiers, against the formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, graph
from megengine.core.tensor.dtype import qint8, qint32, quint8
from megengine.ops.onednn import custom_call

S = [np.float32(v) for v in (0.0213, 0.0117, 0.37)]


def steps(sums: np.ndarray, bias: np.ndarray, relu: bool) -> np.ndarray:
    """What the reference's kernels make of sums: each operation rounded to float32."""
    scale = S[0] * S[1]
    real = sums.astype(np.float32) * scale + bias.astype(np.float32) * scale
    real = (np.maximum(real, 0) if relu else real) * (np.float32(1) / S[2])
    return np.clip(np.trunc(real + np.copysign(np.float32(0.5), real)), -128, 127).astype(np.int8)


@pytest.mark.parametrize("tier", ["host", "compiled"])
@pytest.mark.parametrize("relu", [False, True])
def test_convolution_to_the_last_bit(tier: str, relu: bool) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-128, 128, (4, 32, 32, 32)), rng.integers(-128, 128, (32, 32, 1, 1))
    bias = rng.integers(-20_000, 20_000, (1, 32, 1, 1))
    tensors = (Tensor(a.astype(d)) for a, d in ((x, qint8(S[0])), (w, qint8(S[1])), (bias, qint32(S[0] * S[1]))))
    with graph.tier(tier):
        mode = "relu" if relu else "identity"
        found = F.quantized.conv_bias_activation(*tensors, dtype=qint8(S[2]), nonlinear_mode=mode).numpy()
    sums = np.einsum("nchw,oc->nohw", x.astype(np.float64), w[:, :, 0, 0].astype(np.float64))
    np.testing.assert_array_equal(found, steps(sums, bias, relu))


@pytest.mark.parametrize("tier", ["host", "compiled"])
@pytest.mark.parametrize(("channels", "groups"), [(1100, 1), (16, 4)])
def test_the_same_without_the_library(tier: str, channels: int, groups: int) -> None:
    """Sums beyond those that float32 holds are taken in parts."""
    rng = np.random.default_rng(1)
    x = np.where(rng.random((1, channels, 3, 3)) < 0.5, -128, rng.integers(-128, 128, (1, channels, 3, 3)))
    w = rng.integers(-128, 128, (groups, 4, channels // groups, 3, 3))
    tensors = [Tensor(x.astype(qint8(1.0))), Tensor((w if groups > 1 else w[0]).astype(qint8(1.0)))]
    bias = Tensor(np.zeros((1, 4 * groups, 1, 1)).astype(qint32(1.0)))
    with graph.tier(tier), custom_call.portable():
        found = F.quantized.conv_bias_activation(*tensors, bias, groups=groups).numpy()
    wanted = np.einsum("gcij,gocij->go", x.reshape(groups, -1, 3, 3), w).reshape(found.shape)
    np.testing.assert_array_equal(found, wanted)


def test_zero_points() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.integers(0, 256, (1, 5, 6, 6)), rng.integers(0, 256, (3, 5, 3, 3))
    tensors = Tensor(x.astype(quint8(0.5, 120))), Tensor(w.astype(quint8(0.25, 7)))
    bias = Tensor(np.zeros((1, 3, 1, 1)).astype(qint32(0.125)))
    found = F.quantized.conv_bias_activation(*tensors, bias).numpy()
    wanted = F.conv2d(Tensor(x - 120.0), Tensor(w - 7.0)).numpy()
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("dtypes", "message"),
    [
        ((qint8(0.5), np.dtype("float32"), qint32(0.25)), "must both be quantised"),
        ((qint8(0.5), quint8(0.5, 3), qint32(0.25)), "of one kind"),
        ((qint32(0.5), qint32(0.5), qint32(0.25)), "at most 8 bits"),
        ((qint8(0.5), qint8(0.5), qint32(0.5)), r"bias must be qint32\(0.25\)"),
        ((qint8(0.5), qint8(0.5), np.dtype("float32")), "bias must be quantised"),
    ],
)
def test_refusals(dtypes: tuple[np.dtype, ...], message: str) -> None:
    x, w, b = (
        Tensor(np.ones(s).astype(d)) for s, d in zip([(1, 2, 2, 2), (1, 2, 1, 1), (1, 1, 1, 1)], dtypes, strict=True)
    )
    with pytest.raises(RuntimeError, match=message):
        F.quantized.conv_bias_activation(x, w, b)
    with pytest.raises(RuntimeError, match="the result"):
        F.quantized.conv_bias_activation(
            Tensor(np.ones((1, 1, 1, 1)).astype(qint8(1.0))),
            Tensor(np.ones((1, 1, 1, 1)).astype(qint8(1.0))),
            Tensor(np.ones((1, 1, 1, 1)).astype(qint32(1.0))),
            quint8(0.5, 3),
        )
