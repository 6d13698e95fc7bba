"""Labels that a loss does not take are an error of a traced step too, whose tensors stay as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import BadIndexError
from megengine.jit import trace
from megengine.optimizer import SGD

MODES = [{}, {"symbolic": True}, {"without_host": True}]


def step_of(mode: dict[str, bool]) -> tuple[Any, M.Linear]:
    net = M.Linear(4, 3)
    gm, opt = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.1)

    @trace(**mode)
    def step(x: Tensor, label: Tensor) -> Tensor:
        with gm:
            loss = F.nn.cross_entropy(net(x), label)
            gm.backward(loss)
        opt.step().clear_grad()
        return loss

    return step, net


@pytest.mark.parametrize("computed", [False, True], ids=["from the host", "computed"])
@pytest.mark.parametrize("mode", MODES, ids=["default", "symbolic", "without_host"])
def test_a_bad_label_is_an_error_and_no_step(mode: dict[str, bool], computed: bool) -> None:
    step, net = step_of(mode)
    x = Tensor(np.ones((2, 4), np.float32))

    def label(*numbers: int) -> Tensor:
        made = Tensor(np.int32(numbers))
        return made + 0 if computed else made

    for k in range(9):
        before = net.weight.numpy()
        if k in (0, 4, 8):
            with pytest.raises(BadIndexError, match="cross_entropy|label|class"):
                step(x, label(0, 7)).item()
                graph.verify(wait=True)
            np.testing.assert_array_equal(net.weight.numpy(), before)
        else:
            step(x, label(0, 2)).item()
            assert not np.array_equal(net.weight.numpy(), before)


def test_labels_on_the_host_cost_a_replayed_step_nothing() -> None:
    step, _ = step_of({"without_host": True})
    x = Tensor(np.ones((2, 4), np.float32))
    for _ in range(3):
        step(x, Tensor(np.int32([0, 2])))
    before = graph.counters.snapshot()
    for _ in range(3):
        step(x, Tensor(np.int32([1, 2]))).item()
    after = graph.counters.snapshot()
    assert after["replays"] - before["replays"] == 3 and after["ops"] == before["ops"]
    kept = Tensor(np.int32([1, 0]))
    for _ in range(6):  # moves to the device when it is used again
        step(x, kept)
    assert graph.counters.snapshot()["replays"] - after["replays"] == 6
