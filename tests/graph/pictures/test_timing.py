"""Measured times: kernels belong to the operations that they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph.pictures.tables import quantity, rows
from megengine.graph.pictures.timing import alone


def test_a_large_product_takes_most_of_the_time_and_all_ops_have_some_or_none() -> None:
    # Some 30 ms: a kernel that waits for a core on a busy machine takes some milliseconds more.
    x, w = Tensor(np.ones((512, 2048), np.float32)), Parameter(np.ones((2048, 1024), np.float32))
    with graph.watch() as seen, GradManager().attach(w) as gm:
        loss = F.tanh(F.matmul(x, w)).mean()
        gm.backward(loss)
        loss.numpy()
    ran = seen[0]
    assert not ran.picture().measured and "FLOP" in ran.table()
    timing = ran.measure(runs=3)
    assert set(timing.seconds) == set(ran.function.equations) and min(timing.seconds.values()) >= 0
    assert timing.whole > 0 and timing.other >= 0
    by_op = {row.name: row for row in rows(ran.picture().nodes)}
    products = by_op["matmul"].share + by_op["matmul.grad"].share
    assert products > 0.5, ran.table()
    assert "ms" in ran.table("line").splitlines()[0] and "total" in ran.table("module")
    with pytest.raises(ValueError, match="rows by op, module, line, node"):
        ran.table("color")


def _event(name: str, start: float, end: float, thread: int = 1) -> dict[str, Any]:
    return {"tid": thread, "ts": start, "dur": end - start, "args": {"hlo_op": name}}


def test_a_kernel_that_runs_others_is_counted_without_them() -> None:
    events = [
        _event("while", 0, 10),
        _event("add", 1, 4),
        _event("mul", 5, 7),
        _event("dot", 20, 30),
        _event("add", 2, 3, 2),
    ]
    assert sorted(alone(events)) == [("add", 1), ("add", 3), ("dot", 10), ("mul", 2), ("while", 5)]


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 "), (999, "999 "), (1000, "1 k"), (1234567, "1.23 M"), (5e9, "5 G"), (2.5e12, "2.5 T")]
)
def test_quantities(number: float, text: str) -> None:
    assert quantity(number) == text
