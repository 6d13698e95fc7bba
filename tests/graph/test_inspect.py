"""The graph at each stage, as text and as data."""

from __future__ import annotations

import json

import numpy as np

from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager


def _step() -> graph.Watch:
    w = Parameter(np.ones((3, 2), np.float32))
    gm = GradManager().attach(w)
    x = Tensor(np.ones((4, 3), np.float32))
    with graph.watch() as seen:
        with gm:
            loss = (x @ w).sum()
            gm.backward(loss)
        w._reset(w - 0.1 * w.grad)
        graph.flush("step")
    return seen


def test_three_stages() -> None:
    ran = _step()[0]
    recorded = ran.recorded()
    assert "matmul(" in recorded and "vjp of " in recorded and "test_inspect.py:" in recorded
    assert "stablehlo" in ran.lowered()
    assert "HloModule" in ran.compiled()


def test_picture_is_json_with_lines_shapes_and_edges() -> None:
    picture = json.loads(json.dumps(_step()[0].picture().data()))
    nodes = picture["nodes"]
    ops = [n["op"] for n in nodes]
    assert "matmul" in ops and "matmul.grad" in ops
    matmul = next(n for n in nodes if n["op"] == "matmul")
    assert matmul["shape"] == [4, 2] and matmul["dtype"] == "float32" and "test_inspect.py:" in matmul["where"]
    assert all(i < n["id"] for n in nodes for i in n["inputs"])
    assert {n["kind"] for n in nodes} >= {"input", "op", "gradient"}
    assert matmul["flops"] == 2 * 4 * 3 * 2 and matmul["bytes"] == 4 * (4 * 3 + 3 * 2 + 4 * 2)
