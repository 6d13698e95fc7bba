"""Recompilation is said, can be refused, and ends in op-by-op execution where shapes never settle."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import recompile, record


def _here(x: Tensor) -> np.ndarray:
    return ((x + 1) * 2).numpy()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("megengine"), "propagate", True)
    caplog.set_level(logging.INFO, logger="megengine.graph")
    return caplog


def test_a_new_shape_is_said_with_place_and_difference(log: pytest.LogCaptureFixture) -> None:
    def once(x: Tensor) -> np.ndarray:
        return (x * 3 - 1).numpy()

    once(Tensor(np.zeros((2, 4099), np.float32)))
    assert not log.records
    once(Tensor(np.zeros((4, 4099), np.float32)))
    assert "2nd time" in log.text and "test_recompile.py" in log.text and "(4, 4099), was (2, 4099)" in log.text
    once(Tensor(np.zeros((4, 4099), np.int32)))
    assert "3rd time" in log.text and "dtype int32, was float32" in log.text
    said = len(log.records)
    once(Tensor(np.zeros((5, 4099), np.int32)))
    assert len(log.records) == said


def test_it_can_be_an_error() -> None:
    def once(x: Tensor) -> np.ndarray:
        return (x - 2).numpy()

    with graph.on_recompile("error"):
        once(Tensor(np.zeros(23, np.float32)))
        once(Tensor(np.zeros(23, np.float32)))
        with pytest.raises(graph.RecompileError, match="shape"):
            once(Tensor(np.zeros(29, np.float32)))


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="loud"):
        graph.on_recompile("loud")


def test_shapes_that_never_settle_run_op_by_op(log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph.options, "churn_limit", 3)
    monkeypatch.setattr(record, "some_place_is_special", False)

    def once(n: int) -> np.ndarray:
        return ((Tensor(np.ones(n, np.float32)) + 1) * 2).numpy()

    try:
        for n in range(31, 36):
            np.testing.assert_array_equal(once(n), np.full(n, 4))
        assert "runs op by op" in log.text
        with graph.watch() as seen:
            np.testing.assert_array_equal(once(31), np.full(31, 4))
        assert [len(r.where) for r in seen.ran] == [1, 1]
    finally:
        recompile._churning.clear()


def test_what_follows_changing_shapes_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph.options, "churn_limit", 5)
    monkeypatch.setattr(record, "some_place_is_special", False)
    weight = Parameter(np.linspace(0.1, 1.0, 37, dtype=np.float32))
    manager = GradManager().attach(weight)

    def once(n: int) -> tuple[np.ndarray, np.ndarray]:
        with manager:
            y = F.exp(weight)
            for _ in range(recompile.WORTH_A_CUT):
                y = F.tanh(y) + weight
            picked = y[Tensor(np.arange(37) < n)] * 3
            manager.backward((picked * picked).sum())
        value, gradient = picked.numpy(), weight.grad.numpy()
        weight.grad = None
        return value, gradient

    counts = []
    try:
        for n in (7, 8, 9, 10, 11, 12, 13, 14):
            before = graph.counters.compilations.total()
            with graph.watch() as seen:
                value, gradient = once(n)
            counts.append([len(ran.where) for ran in seen.ran])
            compiled = graph.counters.compilations.total() - before
            with graph.eager():
                wanted = once(n)
            np.testing.assert_allclose(value, wanted[0], rtol=1e-5)
            np.testing.assert_allclose(gradient, wanted[1], rtol=1e-5)
        assert sum(counts[0]) == sum(counts[-1]) and len(counts[-1]) == len(counts[0]) + 1
        assert compiled == 1  # the few ops of changing shapes
    finally:
        recompile.forget_places()


def test_differences_in_liveness_and_ops_are_told_apart() -> None:
    def once(keep: bool, plus: bool) -> list[Tensor]:
        x = Tensor(np.ones(13, np.float32))  # a shape no other test compiles
        h = x + 1 if plus else x - 1
        y = h * 2
        kept = [h, y] if keep else [y]
        del h
        kept[-1].numpy()
        return kept

    before = graph.counters.compilations.copy()
    once(True, True)
    once(False, True)
    assert (graph.counters.compilations - before)["liveness"] == 1


def test_the_same_lines_with_another_op_are_told() -> None:
    def once(factor: float | Tensor) -> np.ndarray:
        return ((Tensor(np.ones(17, np.float32)) + 3) * factor).numpy()

    before = graph.counters.compilations.copy()
    once(2.0)
    once(Tensor(np.ones(17, np.float32)))
    assert (graph.counters.compilations - before)["op"] == 1


def test_a_place_whose_shapes_pay_off_is_never_run_op_by_op(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph.options, "churn_limit", 2)

    def once(n: int) -> np.ndarray:
        return ((Tensor(np.ones(n, np.float32)) + 1) * 2).numpy()

    for n in range(51, 56):  # as a search over sizes does: each is used for a while
        for _ in range(recompile.PAYS_OFF + 1):
            np.testing.assert_array_equal(once(n), np.full(n, 4))
    assert "runs op by op" not in log.text
