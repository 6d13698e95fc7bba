"""Optimizers that declare their state, their options and the update of one parameter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, optimizer
from megengine.optimizer.parameterwise import Option, ParameterwiseOptimizer


class Averaged(ParameterwiseOptimizer):
    """Gradient descent that also keeps the running average of the parameter, begun at its first value."""

    _options = {"lr": Option("learning rate"), "kept": Option("kept fraction", below=1)}
    _state_at_start = {"average": lambda param: param.detach() * 1, "steps": 0.0, "largest": None}

    def __init__(self, params: Any, lr: float, kept: float = 0.5) -> None:
        super().__init__(params, {"lr": lr, "kept": kept})

    def _update(self, param: Parameter, grad: Tensor, state: tuple[Tensor, ...], options: dict[str, Any]) -> Any:
        average, steps, largest = state
        new = param - options["lr"] * grad
        return new, options["kept"] * average + (1 - options["kept"]) * new, steps + 1, F.maximum(largest, F.abs(grad))


def test_state_options_and_update_are_declared() -> None:
    one, two = Parameter([1.0, 2.0]), Parameter([3.0])
    descent = Averaged([{"params": one}, {"params": two, "lr": np.float32(1.0), "kept": 0.0}], lr=0.5)
    for _ in range(2):
        one.grad = Tensor([1.0, -2.0])
        descent.step().clear_grad()
    two.grad = Tensor([1.0])
    descent.step()
    assert one.tolist() == [0.0, 4.0] and two.tolist() == [2.0]
    state = descent.state_dict()["state"]
    assert list(state[0]) == ["average", "steps", "largest"]
    # Averages of 1, 0.5, 0 and of 2, 3, 4, each half of the last one and half of the new value.
    np.testing.assert_array_equal(state[0]["average"], [0.375, 3.25])
    assert state[0]["steps"] == 2 and state[0]["largest"].tolist() == [1.0, 2.0] and state[1]["average"] == 2


def test_options_out_of_range_are_refused() -> None:
    param = Parameter([1.0])
    wrong = [
        (lambda: Averaged([param], lr=-1), "Invalid learning rate: -1"),
        (lambda: Averaged([param], lr=1, kept=1), "Invalid kept fraction: 1"),
        (lambda: optimizer.Adam([param], lr=1, betas=[0.5, 1.5]), "Invalid beta parameter at index 1: 1.5"),
        (lambda: optimizer.Adadelta([param], rho=float("nan")), "Invalid rho value: nan"),
    ]
    for make, words in wrong:
        with pytest.raises(ValueError, match=words):
            make()
        with pytest.raises(AssertionError, match=words):
            make()
    with pytest.raises(TypeError, match="the learning rate must be a number, not 'fast'"):
        Averaged([param], lr="fast")  # type: ignore[arg-type]


def test_a_state_dict_without_state_is_not_taken_for_a_fresh_start() -> None:
    param = Parameter([1.0], name="w")
    adam = optimizer.Adam([param], lr=0.1)
    adam.load_state_dict({**adam.state_dict(), "state": {}})
    param.grad = Tensor([1.0])
    with pytest.raises(KeyError, match="Adam has no state of parameter w"):
        adam.step()
    assert param.tolist() == [1.0]
