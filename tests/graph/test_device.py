"""Device names, default device, and moving between devices."""

from __future__ import annotations

import os

import numpy as np
import pytest

import megengine as mge
from megengine import Tensor
from megengine.autodiff import GradManager


def test_names() -> None:
    assert str(Tensor(1.0).device) == "xpux:0"
    assert str(Tensor(1.0, device="cpu0").device) == "cpu0:0"
    assert Tensor(1.0, device="cpu1").device == "cpu1:0"
    assert Tensor(1.0, device=Tensor(1.0).device).device == "xpux"
    assert repr(Tensor(1.0, device="cpu0").device) == 'CompNode("cpu0:0" from "cpu0:0")'


@pytest.mark.parametrize("name", ["abc", "gpu99", "cpu-1", "cpu", "", 5])
def test_unknown_devices_are_named(name: object) -> None:
    with pytest.raises(RuntimeError, match="is not a device name|no device"):
        Tensor(1.0, device=name)


def test_results_live_where_their_operands_do() -> None:
    assert (Tensor([1.0], device="cpu0") * 2).device == "cpu0"
    assert (Tensor([1.0]) * 2).device == "xpux"


def test_gradients_flow_through_to() -> None:
    x = Tensor([1.0, 2.0])
    gm = GradManager().attach(x)
    with gm:
        gm.backward((x.to("cpu0") ** 2).sum())
    np.testing.assert_array_equal(x.grad.numpy(), [2, 4])


def test_default_device() -> None:
    mge.set_default_device("cpu0")
    try:
        assert mge.get_default_device() == "cpu0"
        assert Tensor([1.0]).device == "cpu0"
    finally:
        mge.set_default_device("xpux")
    with pytest.raises(RuntimeError, match="gpu77"):
        mge.set_default_device("gpu77")
    with pytest.raises(AssertionError, match="nosuch"):
        mge.set_default_device("nosuch")


def test_tensors_in_different_places_do_not_meet() -> None:
    a, b = Tensor([1.0], device="cpu0"), Tensor([2.0], device="cpu1")
    with pytest.raises(RuntimeError, match=r"add: operands are on different devices \(cpu0, cpu1\)"):
        a + b
    assert (a + b.to("cpu0")).item() == 3
    assert (b * 2).device == "cpu1" and (a * 2).device == "cpu0"
    assert str(Tensor([1.0], device="cpu0:1").device) == "cpu0:1"


def test_counts() -> None:
    assert mge.get_device_count("cpu") == os.cpu_count()
    assert mge.get_device_count("xpux") == mge.get_device_count(mge.device.what_is_xpu()) >= 1
    with pytest.raises(TypeError, match="not 3"):
        mge.get_device_count(3)


def test_another_default_device_shows_in_what_is_made_next() -> None:
    mge.random.seed(3)
    mge.random.uniform(size=(2,))
    mge.set_default_device("cpu0")
    try:
        assert str(mge.random.uniform(size=(2,)).device) == "cpu0:0"
    finally:
        mge.set_default_device("xpux")
    assert str(mge.random.uniform(size=(2,)).device) == "xpux:0"


def test_operands_that_are_no_tensors_join_the_tensor_on_its_device() -> None:
    a, b = Tensor([1.0, 2.0], device="cpu0"), np.float32([3, 4])
    for joined in (a + b, b + a, np.add(a, b), np.arctan2(a, b), a + [1.0, 2.0], a + 1):
        assert joined.device == "cpu0"


def test_a_tensor_made_from_a_tensor_stays_on_its_device() -> None:
    a = Tensor([1.0], device="cpu0")
    assert Tensor(a, device="cpu0").device == "cpu0"
    with pytest.raises(RuntimeError, match=r"the tensor is on cpu0:0; use to\(\)"):
        Tensor(a, device="cpu1")
