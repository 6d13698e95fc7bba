"""When a plan is made of what is computed without one, too: sizes that come once make none."""

from __future__ import annotations

import numpy as np
import pytest

from megengine.ops.onednn import layer, plan, softmax
from megengine.ops.onednn.library import library

needs_library = pytest.mark.skipif(library() is None, reason="no oneDNN here")


class Made(plan.Plan):
    def __init__(self) -> None:
        pass


def test_a_plan_is_made_when_it_would_have_paid() -> None:
    key, made = ("test", object()), []

    def make() -> plan.Plan:
        made.append(Made())
        return made[-1]

    assert [plan.earned(key, 40, 100, make) for _ in range(2)] == [None, None] and not made
    assert [plan.earned(key, 40, 100, make) for _ in range(3)] == [made[0]] * 3 and len(made) == 1


def test_what_is_asked_for_is_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LIMIT", 4)
    mark = object()
    assert all(plan.earned(("test", mark, n), 60, 100, Made) is None for n in [0, 1, 2, 3, 4, 5, 0])
    assert type(plan.earned(("test", mark, 0), 60, 100, Made)) is Made
    assert len(plan._asked_for) <= 4


@needs_library
def test_lengths_that_come_once_make_no_plan() -> None:
    assert layer.available() and softmax.available()
    before = set(plan._plans)
    for rows in range(200, 260):
        x = np.ones((rows, 251), np.float32)
        assert layer.normalized(x, 251, 1e-5) is None and softmax.value(x) is None
        assert layer.gradients(x, x[:, 0], x[:, 0], x, 251, 1e-5) is None
    assert set(plan._plans) == before
    assert layer.normalized(np.ones((2000, 251), np.float32), 251, 1e-5) is not None
