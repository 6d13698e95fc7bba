"""Labels of formats: the same numbers, and gradients through a labelled copy."""

from __future__ import annotations

import numpy as np

import megengine.functional as F
import megengine.module as M
from megengine import Parameter, amp
from megengine.autodiff import GradManager


def test_a_labelled_module_computes_the_same() -> None:
    net = M.Sequential(M.Conv2d(2, 4, 3, groups=2), M.BatchNorm2d(4), M.ReLU())
    net.eval()
    x = F.arange(2 * 2 * 5 * 5).reshape(2, 2, 5, 5)
    before = net(x).numpy()
    other = amp.convert_module_format(net, inplace=False)
    assert {t.format for t in net.tensors()} == {"default"}
    assert {t.format for t in other.tensors()} == {"nhwc"}
    np.testing.assert_array_equal(other(amp.convert_tensor_format(x, inplace=False)).numpy(), before)
    assert amp.convert_module_format(net) is net and net[0].weight.format == "nhwc"
    assert isinstance(net[0].weight, Parameter) and net[0].weight.shape == (2, 2, 1, 3, 3)


def test_a_gradient_flows_through_a_labelled_copy() -> None:
    x = Parameter(np.ones((1, 2, 3, 3), np.float32))
    gm = GradManager().attach(x)
    with gm:
        labelled = amp.convert_tensor_format(x, inplace=False)
        gm.backward((labelled * labelled).sum())
    assert labelled.format == "nhwc" and x.format == "default"
    assert x.grad is not None and (x.grad.numpy() == 2).all()
