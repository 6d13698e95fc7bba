"""Where a value comes from: pending, watched, kept for gradients, forgotten."""

from __future__ import annotations

import gc

import numpy as np

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.functional import relu


def test_a_pending_value_is_told_by_what_it_depends_on_alone() -> None:
    net = M.Linear(3, 2)
    graph.flush()
    x = Tensor(np.ones((1, 3), np.float32))
    other = x * 3
    y = relu(net(x)) + 1
    told = y.explain()
    assert "the result of add at" in told.text and "test_explain.py:" in told.text
    assert "has not been computed" in told.text and "3 operations" in told.text and "weight: float32[2,3]" in told.text
    assert told.function is not None and [e.name for e in told.function.equations] == ["linear", "relu", "add"]
    assert y.explain().text == told.text and other is not None, "asking runs nothing"


def test_a_computed_value_is_told_if_its_graph_was_watched_and_the_watch_is_kept() -> None:
    with graph.watch() as seen:
        y = Tensor([1.0, 2.0]) * 2 + 1
        z = y - 1
        y.numpy(), z.numpy()
    told = y.explain()
    assert "It was computed in <graph 0: test_explain.py:" in told.text and "2 operations" in told.text
    assert told.save is not None and len(seen) == 1
    del seen, told
    gc.collect()
    assert "is not kept" in y.explain().text


def test_what_gradients_keep_is_told() -> None:
    net, gm = M.Linear(3, 2), GradManager()
    gm.attach(net.parameters())
    with gm:
        loss = F.relu(net(Tensor(np.ones((4, 3), np.float32)))).mean()
        loss.numpy()
        told = loss.explain().text
    lines = [line.split("(")[0].strip() for line in told.splitlines()[1:-1]]
    assert lines == ["mean", "relu", "linear"] and "are not listed" in told


def test_parameters_and_forgotten_values_say_so() -> None:
    net = M.Sequential(M.Linear(3, 2))
    graph.flush()
    assert "held by the model as 0.weight" in net[0].weight.explain().text
    y = Tensor([1.0]) + 1
    y.numpy()
    told = y.explain()
    assert "what made them is not kept" in told.text and "graph.watch()" in told.text and told.function is None
