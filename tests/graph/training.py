"""A small training, in which what was compiled takes over at a step of choice."""

from __future__ import annotations

from typing import Any

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.optimizer as O
from megengine import Tensor, graph, jit
from megengine.autodiff import GradManager
from megengine.graph import background, program

STEPS = 6


class Net(M.Module):
    """A network with every kind of state: parameters, statistics, a random stream."""

    def __init__(self) -> None:
        super().__init__()
        self.features = M.Sequential(M.Conv2d(1, 4, 3, bias=False), M.BatchNorm2d(4), M.ReLU(), M.Dropout(0.3))
        self.classifier = M.Linear(144, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.flatten(self.features(x), 1))


def training(take_over_at: int | None = None, trace: bool = False) -> tuple[list[float], dict[str, np.ndarray], Any]:
    """The losses and parameters of a few steps, during which what was compiled takes over at a step of choice."""
    mge.random.seed(3)
    net = Net()
    manager = GradManager().attach(net.parameters())
    optimizer = O.SGD(net.parameters(), lr=0.05, momentum=0.9)
    x = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32)
    labels = np.array([0, 3, 1, 4], np.int32)

    def step(x: Tensor, labels: Tensor) -> Tensor:
        with manager:
            loss = F.nn.cross_entropy(net(x), labels)
            manager.backward(loss)
        optimizer.step().clear_grad()
        return loss

    run = jit.trace(step, without_host=True) if trace else step
    losses = []
    for number in range(STEPS):
        if number == take_over_at:
            compile_all()
        losses.append(run(Tensor(x), Tensor(labels)).item())
    return losses, dict(net.state_dict()), mge.random.uniform(size=(3,)).numpy()


def compile_all() -> None:
    """Have every program compiled that is loaded."""
    for each in program.loaded():
        background.submit(each)
    assert background.wait(120)


def check_every_take_over(trace: bool) -> None:
    """The numbers do not depend on when a compiled program takes over."""
    with graph.tier("compiled"):
        losses, state, drawn = training(trace=trace)
    program.clear()
    for number in [None, *range(1, STEPS)]:
        before = graph.counters.take_overs
        again = training(number, trace)
        np.testing.assert_allclose(again[0], losses, rtol=2e-5)
        for name, value in again[1].items():
            np.testing.assert_allclose(value, state[name], rtol=1e-3, atol=2e-5, err_msg=name)
        np.testing.assert_array_equal(again[2], drawn)  # the streams are where they would be
        assert (graph.counters.take_overs > before) == (number is not None)
        program.clear()
