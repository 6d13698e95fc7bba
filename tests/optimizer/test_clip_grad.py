"""Gradient clipping, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megengine import Parameter, Tensor
from megengine.optimizer import clip_grad_norm, clip_grad_value

GRADS = [np.array([3.0, -4.0], "float32"), np.array([[0.0, 12.0, 0.5]], "float32"), np.array(-1.0, "float32")]


def params(grads: list[np.ndarray]) -> list[Parameter]:
    made = [Parameter(np.zeros(g.shape, "float32")) for g in grads]
    for param, grad in zip(made, grads, strict=True):
        param.grad = Tensor(grad)
    return made


@pytest.mark.parametrize("order", [1, 2, 2.0, 3, 0.5, np.inf, -np.inf, float("inf"), "inf"])
@pytest.mark.parametrize("most", [0.5, 6.0, 1e6])
def test_norm(order: Any, most: float) -> None:
    made = params(GRADS)
    handles = [p.grad for p in made]
    norm = clip_grad_norm(iter(made), most, ord=order)
    flat = np.concatenate([g.reshape(-1) for g in GRADS]).astype("float64")
    wanted = np.linalg.norm(flat, float(order))
    assert norm.shape == () and type(norm) is Tensor
    np.testing.assert_allclose(norm.numpy(), wanted, rtol=1e-5)
    scale = min(1.0, most / (wanted + 1e-6))
    for param, grad, handle in zip(made, GRADS, handles, strict=True):
        assert param.grad is handle
        np.testing.assert_allclose(handle.numpy(), grad * scale, rtol=1e-5)


def test_norm_of_order_0_counts() -> None:
    assert clip_grad_norm(params(GRADS), 100.0, ord=0).item() == 5


def test_norm_of_one_tensor_and_of_none() -> None:
    (param,) = params(GRADS[:1])
    assert clip_grad_norm(param, 1.0).item() == 5
    assert clip_grad_norm(Parameter([1.0]), 1.0).item() == 0 and clip_grad_norm([], 1.0).item() == 0
    other = Parameter([1.0])
    assert clip_grad_norm([other, param], 10.0).item() == pytest.approx(1.0) and other.grad is None


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=5, max_size=5), st.floats(1e-2, 1e2))
def test_norm_is_within_the_bound_afterwards(values: list[float], most: float) -> None:
    made = params([np.array(v, "float32") for v in (values[:2], values[2:])])
    before = clip_grad_norm(made, most).item()
    after = clip_grad_norm(made, most).item()
    assert after <= most * (1 + 1e-5) and after <= before * (1 + 1e-6)


def test_value() -> None:
    made = params(GRADS)
    handle = made[0].grad
    assert clip_grad_value((p for p in made), lower=-2, upper=1.5) is None
    for param, grad in zip(made, GRADS, strict=True):
        np.testing.assert_array_equal(param.grad.numpy(), np.clip(grad, -2, 1.5))
    assert made[0].grad is handle
    clip_grad_value(made[0], -1, 1)
    assert made[0].grad.numpy().tolist() == [1, -1]
    clip_grad_value(Parameter([1.0]), -1, 1)


@pytest.mark.parametrize("order", [0, 1, 2, 3, float("inf"), -float("inf")])
def test_gradients_without_elements(order: float) -> None:
    params = [Parameter(np.zeros((0, 3), np.float32)), Parameter([3.0, 4.0])]
    for p in params:
        p.grad = Tensor(p.numpy())
    alone = clip_grad_norm(params[1:], 100.0, order).item()
    assert clip_grad_norm(params, 100.0, order).item() == alone
    assert clip_grad_norm(params[:1], 100.0, order).item() == 0
    clip_grad_value(params, -1, 1)
    np.testing.assert_array_equal(params[1].grad.numpy(), [1, 1])
