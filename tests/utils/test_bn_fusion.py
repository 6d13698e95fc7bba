"""Layers fused with what follows them answer as the layers one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.module as M
from megengine import Tensor
from megengine.utils.bn_fusion import fuse_conv_bn_relu_module, fuse_linear_bn_relu_module

LAYERS: dict[str, tuple[Any, Any, tuple[int, ...]]] = {
    "conv": (lambda: M.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), lambda: M.BatchNorm2d(6), (2, 4, 5, 5)),
    "groups": (lambda: M.Conv2d(4, 6, 3, groups=2, bias=False), lambda: M.BatchNorm2d(6, affine=False), (2, 4, 5, 5)),
    "transposed": (lambda: M.ConvTranspose2d(4, 6, 3, 2, 1, 1), lambda: M.BatchNorm2d(6), (2, 4, 5, 5)),
    "groups transposed": (lambda: M.ConvTranspose2d(4, 6, 3, groups=2), lambda: M.BatchNorm2d(6), (2, 4, 5, 5)),
    "linear": (lambda: M.Linear(4, 6), lambda: M.BatchNorm1d(6), (7, 4)),
    "linear without bias": (lambda: M.Linear(4, 6, bias=False), lambda: M.BatchNorm1d(6), (7, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("relu", [True, False])
def test_fused(name: str, training: bool, relu: bool) -> None:
    make, make_bn, shape = LAYERS[name]
    rng = np.random.default_rng(0)
    layer, bn, act = make(), make_bn(), M.ReLU() if relu else None
    bn.running_mean[...] = Tensor(rng.standard_normal(bn.running_mean.shape), dtype="float32")
    bn.running_var[...] = Tensor(rng.random(bn.running_var.shape) + 0.5, dtype="float32")
    fuse = fuse_linear_bn_relu_module if name.startswith("linear") else fuse_conv_bn_relu_module
    for part in (layer, bn):
        part.train(training)
    fused = fuse(layer, bn, act)
    assert (getattr(fused, "bn", None) is not None) == training
    x = Tensor(rng.standard_normal(shape).astype(np.float32))
    found, wanted = fused(x).numpy(), bn(layer(x))
    wanted = (M.ReLU()(wanted) if relu else wanted).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_what_does_not_go_together() -> None:
    bn = M.BatchNorm2d(4)
    bn.eval()
    with pytest.raises(AssertionError, match="both"):
        fuse_conv_bn_relu_module(M.Conv2d(3, 4, 1), bn, None)
    with pytest.raises(AssertionError, match="does not fit"):
        fuse_conv_bn_relu_module(M.Conv2d(3, 4, 1), M.BatchNorm2d(5), None)
