"""The gradient computation under its old name, and devices under theirs."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, device
from megengine.autodiff import GradManager
from megengine.core.autodiff.grad import Grad


def test_gradients_go_to_callbacks_only() -> None:
    x, found = Tensor([1.0, 2.0]), {}
    with Grad() as grad:
        grad.wrt(x, callback=lambda g: found.update(x=g))
        y = x * x
        grad.wrt(y, callback=lambda g: found.update(y=g))
        z = y * y
        grad(z, F.ones(2))
    assert found["x"].tolist() == [4, 32] and found["y"].tolist() == [2, 8]
    assert x.grad is None and grad._attached == []
    with pytest.raises(RuntimeError, match="called once"):
        grad(z, F.ones(2))


def test_second_order_and_several_outputs() -> None:
    x, first, second = Tensor([0.5, 1.0]), [], []
    with Grad("outer") as outer:
        outer.wrt(x, callback=second.append)
        with Grad("inner") as inner:
            inner.wrt(x, callback=first.append)
            inner([F.sin(x), x * 2], [F.ones(2), F.ones(2)])
        outer(first[0], F.ones(2))
    np.testing.assert_allclose(first[0].numpy(), np.cos([0.5, 1.0]) + 2, rtol=1e-6)
    np.testing.assert_allclose(second[0].numpy(), -np.sin([0.5, 1.0]), rtol=1e-6)


def test_beside_a_manager() -> None:
    x, found = Tensor([3.0]), []
    with GradManager().attach(x) as manager, Grad() as grad:
        grad.wrt(x, callback=found.append)
        y = x * x
        grad(y, Tensor([1.0]))
        manager.backward(y)
    assert found[0].item() == x.grad.item() == 6


def test_devices_by_name() -> None:
    place = device.CompNode("cpu0")
    assert place is device.CompNode("cpu0") is device.CompNode(place)
    x = Tensor([1.0], device=place)
    assert isinstance(x.device, device.CompNode) and x.device == place
    assert (place.logical_name, place.physical_name) == ("cpu0:0", "cpu0:0")
    assert copy.deepcopy(place) is pickle.loads(pickle.dumps(place)) is place
    with pytest.raises(RuntimeError, match="'foo' is not a device name"):
        device.CompNode("foo")
    assert device.DeviceType["CUDA"] is device.DeviceType(1)
