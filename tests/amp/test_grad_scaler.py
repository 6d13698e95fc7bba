"""GradScaler in training: steps that are skipped, and what reading the gradients costs."""

from __future__ import annotations

import numpy as np
import pytest

import megengine
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, amp
from megengine.autodiff import GradManager
from megengine.optimizer import Adam


def test_an_overflow_skips_the_step() -> None:
    weight = Parameter(np.array([1.0, 2.0], np.float32))
    gm, optimizer = GradManager().attach(weight), Adam(weight, lr=0.1)
    scaler = amp.GradScaler(init_scale=4.0)
    for factor in (1.0, float("inf"), 1.0):
        before, state = weight.numpy(), optimizer.state_dict()["state"][0]
        with gm:
            scaler.backward(gm, (weight * factor).sum())
        optimizer.step().clear_grad()
        after = optimizer.state_dict()["state"][0]
        skipped = factor != 1
        assert skipped == np.array_equal(weight.numpy(), before)
        assert skipped == all(np.array_equal(state[name], after[name]) for name in state)
    assert scaler.scale_factor == 2.0


def test_small_gradients_survive_in_float16() -> None:
    weight = Parameter(np.full(2, 1e-4, np.float32))
    gm = GradManager().attach(weight)

    def gradient(scale: float) -> np.ndarray:
        scaler = amp.GradScaler(init_scale=scale)
        with gm:
            half = weight.astype("float16") * 1e-4
            scaler.backward(gm, (half * 1e-4).sum())
        grad, weight.grad = weight.grad, None
        assert grad is not None
        return grad.numpy()

    assert (gradient(1.0) == 0).all()
    np.testing.assert_allclose(gradient(2.0**12), 1e-8, rtol=2e-3)


def test_float16_parameters_keep_float16_gradients() -> None:
    weight = Parameter(np.array([1.0, 2.0], np.float16))
    gm, scaler = GradManager().attach(weight), amp.GradScaler()
    with gm:
        scaler.backward(gm, (weight * weight).sum())
    assert weight.grad is not None and weight.grad.dtype == np.float16
    assert weight.grad.numpy().tolist() == [2, 4]


def test_an_iterator_and_tensors_without_gradient_are_taken() -> None:
    """MegEngine leaves the gradients as they are if the tensors come from an iterator."""
    tensors = [Parameter([1.0]), Parameter([2.0]), Parameter([3.0])]
    tensors[0].grad, tensors[2].grad = Tensor([4.0]), Tensor([float("nan")])
    scaler = amp.GradScaler()
    scaler.unscale(iter(tensors))
    assert [t.grad for t in tensors] == [None] * 3
    scaler.update()
    assert scaler.scale_factor == 8.0
    assert scaler.unscale(iter(tensors)) is scaler


def test_growth_factor_zero_keeps_the_scale() -> None:
    scaler = amp.GradScaler(init_scale=4.0, growth_factor=0, growth_interval=1)
    for _ in range(3):
        scaler.update()
    assert scaler.scale_factor == 4.0


def test_a_state_that_lacks_something_changes_nothing() -> None:
    scaler = amp.GradScaler()
    state = amp.GradScaler(3.0, 4.0, 0.1, 7).state_dict()
    del state["growth_interval"]
    with pytest.raises(KeyError, match="growth_interval"):
        scaler.load_state_dict(state)
    assert scaler.state_dict() == amp.GradScaler().state_dict()


@pytest.mark.parametrize("interval", [2000, 0])
@pytest.mark.usefixtures("compiled")
def test_looking_at_gradients_runs_the_forward_pass_once(interval: int) -> None:
    net = M.Sequential(M.Conv2d(1, 2, 3), M.ReLU())
    gm, optimizer = GradManager().attach(net.parameters()), Adam(net.parameters(), lr=0.01)
    scaler = amp.GradScaler(growth_interval=interval)
    x = F.ones((2, 1, 6, 6))

    def step() -> float:
        with gm:
            with amp.autocast():
                loss = net(x).mean()
            scaler.backward(gm, loss)
        optimizer.step().clear_grad()
        return loss.item()

    for _ in range(3):
        step()
    before, cuts = megengine.graph.counters.compilations.copy(), sum(megengine.graph.counters.flushes.values())
    with megengine.graph.watch() as seen:
        step()
    assert sum(megengine.graph.counters.flushes.values()) - cuts == (1 if interval == 0 else 2)
    convolutions = [line for ran in seen.ran for line in ran.recorded().splitlines() if "= conv(" in line]
    assert len(convolutions) == 1, convolutions
    for _ in range(3):
        step()
    assert megengine.graph.counters.compilations == before
