"""The tiers: what runs a program, when a compiled one takes over, and that nobody can tell from the numbers."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
import megengine.optimizer as O
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import background, lower, patience, program, tiers
from megengine.graph.host_array import HostArray
from megengine.graph.memory import loaded_by_xla
from megengine.ops.onednn.library import library

from .training import check_every_take_over, compile_all


@pytest.fixture(autouse=True)
def _auto(_compiled: None) -> Iterator[None]:
    program.clear()  # a test's programs are met for the first time there
    with graph.tier("auto"):
        yield
    background.wait(60)


@pytest.mark.parametrize("trace", [False, True], ids=["imperative", "traced"])
def test_the_numbers_do_not_depend_on_when_a_compiled_program_takes_over(trace: bool) -> None:
    check_every_take_over(trace)


def test_what_has_taken_over_is_not_compiled_again_for_its_own_results() -> None:
    weight, x = Parameter(np.ones((5, 3), np.float32)), np.ones((2, 5), np.float32)
    manager, optimizer = GradManager().attach([weight]), O.SGD([weight], lr=0.1)
    loaded = []
    for number in range(5):
        with manager:
            loss = (F.matmul(Tensor(x), weight) ** 2).mean()
            manager.backward(loss)
        optimizer.step().clear_grad()
        loss.item()
        loaded.append(len(loaded_by_xla()))
        if number == 1:
            compile_all()
    # The first compiled step takes what the host computed, the others what a compiled one did.
    assert loaded[2:] == [loaded[2]] * 3


def test_what_is_met_for_the_first_time_is_not_compiled() -> None:
    before = graph.counters.snapshot()
    x = Tensor(np.ones((3, 5), np.float32))
    assert (F.softmax(x) @ x.T).sum().item() == pytest.approx(9.0)
    after = graph.counters.snapshot()
    assert after["compilations"] == before["compilations"]
    assert after["interpreted"] > before["interpreted"]


def test_a_program_earns_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "expected_seconds", lambda _: 0.0)
    monkeypatch.setattr(tiers, "SHORT_RUN", 0.0)
    x = Tensor(np.ones((7, 5), np.float32))
    before = graph.counters.take_overs
    for _ in range(3):
        np.testing.assert_array_equal((x * 2 + 1).numpy(), np.full((7, 5), 3, np.float32))
        assert background.wait(120)
    assert graph.counters.take_overs == before + 1


def test_what_a_compiled_program_would_take_as_well_hardly_earns_it(monkeypatch: pytest.MonkeyPatch) -> None:
    net, cell = M.Conv2d(3, 8, 3), M.LSTM(32, 64)
    x, words = Tensor(np.ones((2, 3, 20, 20), np.float32)), Tensor(np.ones((20, 8, 32), np.float32))
    monkeypatch.setattr(tiers, "expected_seconds", lambda _: 1.0)

    def program_of(compute: Any) -> program.Program:
        known = set(program.loaded())
        for _ in range(3):
            compute().numpy()
        return max(set(program.loaded()) - known, key=lambda p: len(p.plan.steps))

    assert program_of(lambda: net(x)).kernel_seconds > 0
    assert library() is None or program_of(lambda: cell(words)[0]).kernel_seconds > 0
    found = program_of(lambda: F.matmul(x, x.transpose(0, 1, 3, 2)) + 1)
    assert found.kernel_seconds == 0
    found.first_tier_seconds, found.kernel_seconds = 5.0, 4.5
    assert not tiers.earns(found)
    found.kernel_seconds = 3.5
    assert tiers.earns(found)


def test_short_programs_stay_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "expected_seconds", lambda _: 0.0)
    monkeypatch.setattr(tiers, "SHORT_RUN", 1e9)
    x = Tensor(np.ones((7, 3), np.float32))
    for _ in range(5):
        (x * 2 - 1).numpy()
    assert not any(p.submitted for p in program.loaded() if p.input_avals and p.input_avals[0].shape == (7, 3))


def test_the_tier_can_be_chosen_at_any_time() -> None:
    x = Tensor(np.arange(6, dtype=np.float32))

    def once() -> np.ndarray:
        return (F.exp(x * 0.1) - 1).numpy()

    wanted = np.expm1(np.arange(6) * 0.1)
    for name in ("host", "compiled", "auto", "host", "compiled"):
        before = graph.counters.interpreted
        with graph.tier(name):
            np.testing.assert_allclose(once(), wanted, rtol=1e-5, atol=1e-7)
        assert (graph.counters.interpreted > before) == (name == "host"), name
    with pytest.raises(ValueError, match="fast"):
        graph.tier("fast")


def test_what_the_host_computed_is_recorded_like_what_was_compiled() -> None:
    # A plain array would be reshaped at once, and no op would be recorded.
    y = Tensor(np.ones(6, np.float32)) + 1
    y.numpy()
    assert type(y._value.array) is HostArray
    before = graph.counters.ops
    z = y.reshape(2, 3)
    z.numpy()
    assert graph.counters.ops == before + 1
    assert type(z.numpy()) is np.ndarray


def test_gradients_kept_by_one_tier_are_taken_by_the_other() -> None:
    w = Parameter(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4))
    manager = GradManager().attach(w)

    def gradient(first: str, then: str) -> np.ndarray:
        with manager:
            with graph.tier(first):
                loss = (F.tanh(w @ w.T) * F.sigmoid(w).sum()).mean()
                loss.numpy()  # what backward needs outlives this program
            with graph.tier(then):
                manager.backward(loss)
                found = w.grad.numpy()
        w.grad = None
        return found

    wanted = gradient("compiled", "compiled")
    for first, then in (("host", "host"), ("host", "compiled"), ("compiled", "host")):
        np.testing.assert_allclose(gradient(first, then), wanted, rtol=1e-5, atol=1e-6)


def test_a_failing_compiler_leaves_the_program_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Tensor(np.ones((2, 9), np.float32))

    def once() -> float:
        return float((x * 5).sum().item())

    assert once() == 90.0
    mine = next(p for p in reversed(program.loaded()) if p.input_avals and p.input_avals[0].shape == (2, 9))

    def fail(_: Any) -> None:
        raise MemoryError("no room to compile")

    monkeypatch.setattr(background, "_elsewhere", fail)
    background.submit(mine)
    assert background.wait(60)
    assert isinstance(mine.failure, MemoryError) and mine.ready is None
    assert once() == 90.0
    background.submit(mine)  # not tried again
    assert background.wait(60) and once() == 90.0


def test_a_compiler_that_dies_costs_nothing() -> None:
    x = Tensor(np.ones((2, 11), np.float32))
    assert (x * 5).sum().item() == 110.0
    compile_all()
    child = background._child
    if child is not None:
        child.kill()
        child.wait()
    y = Tensor(np.ones((2, 13), np.float32))
    assert (y * 5).sum().item() == 130.0
    compile_all()  # by another one
    before = graph.counters.interpreted
    assert (y * 5).sum().item() == 130.0
    assert graph.counters.interpreted == before


def test_what_cannot_be_exported_is_compiled_by_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_elsewhere", lambda _: None)
    x = Tensor(np.ones((2, 17), np.float32))
    for _ in range(2):
        assert (x * 5).sum().item() == 170.0
        compile_all()
    before = graph.counters.interpreted
    assert (x * 5).sum().item() == 170.0
    assert graph.counters.interpreted == before


def test_threads_run_while_one_compiles() -> None:
    found: list[float] = []

    def work(size: int) -> None:
        x = Tensor(np.ones((4, size), np.float32))
        for _ in range(20):
            found.append((F.relu(x) * 2).sum().item() / size)

    threads = [threading.Thread(target=work, args=(size,)) for size in (21, 22, 23)]
    for thread in threads:
        thread.start()
    for each in program.loaded():
        background.submit(each)
    for thread in threads:
        thread.join()
    assert found == [8.0] * 60


def test_nan_and_bad_indices_are_found_on_the_host_too() -> None:
    with graph.tier("host"):
        with graph.check_nan(), pytest.raises(FloatingPointError, match="sqrt"):
            F.sqrt(Tensor([-1.0, 1.0])).numpy()
        index = Tensor([0, 1, 7]) * 1
        with pytest.raises(graph.BadIndexError):
            F.nn.embedding(index, Parameter(np.ones((3, 2), np.float32))).numpy()
            graph.verify(wait=True)


def test_compiling_ahead() -> None:
    net = M.Sequential(M.Linear(6, 5), M.ReLU())
    x = Tensor(np.ones((3, 6), np.float32))
    with graph.tier("host"):
        wanted = net(x).numpy()
    for call in (lambda: graph.compile(net, x), lambda: net.compile(x)):
        np.testing.assert_allclose(call().numpy(), wanted, rtol=1e-6)
    before = graph.counters.interpreted
    again = net(x)
    np.testing.assert_allclose(again.numpy(), wanted, rtol=1e-6)
    assert graph.counters.interpreted == before
    assert graph.options.tier == "auto"


def test_who_waits_for_a_compiler_is_told_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.0)
    logging.getLogger("megengine.graph").addHandler(caplog.handler)
    try:
        with graph.tier("compiled"):
            F.softmax(Tensor(np.ones((3, 31), np.float32))).numpy()
    finally:
        logging.getLogger("megengine.graph").removeHandler(caplog.handler)
    assert "compiling a program of 1 ops" in caplog.text


def test_what_the_interpreter_fails_at_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = Parameter(np.ones((3, 29), np.float32))
    manager, optimizer = GradManager().attach([weight]), O.SGD([weight], lr=0.5)

    def fails(*_: Any) -> Any:
        raise ValueError("a fault of a rule")

    def step() -> float:
        with manager:
            loss = (weight * weight).sum()
            manager.backward(loss)
        optimizer.step()
        optimizer.clear_grad()
        return float(loss.item())

    before = graph.counters.snapshot()
    with monkeypatch.context() as patch:
        patch.setattr(lower.Plan, "callable", _failing(lower.Plan.callable, fails))
        assert [step(), step()] == [87.0, 0.0]
    graph.flush()
    np.testing.assert_array_equal(weight.numpy(), np.zeros((3, 29)))
    assert graph.counters.refused > before["refused"]
    graph.counters.refused = before["refused"]  # as meant here


def _failing(function: Any, fails: Any) -> Any:
    return lambda plan, xp, resolve: fails if xp is np else function(plan, xp, resolve)


def test_a_compilation_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_patience", lambda _: 0.0)
    many = 1000 + os.getpid() % 100_000  # a shape that no earlier run has compiled, which would take no time
    x = Tensor(np.ones((2, many), np.float32))

    def long() -> float:
        y = x
        for _ in range(100):  # so that it takes longer than the thread that gives it up takes to begin
            y = F.sin(y) * 1.01 + F.exp(-y)
        return float(y.sum().item())

    before = long()
    mine = program.loaded()[-1]
    background.submit(mine)
    assert background.wait(120)
    assert mine.ready is None and "took too long" in str(mine.failure)
    assert long() == before
    monkeypatch.undo()
    assert (x * 7 - 1).sum().item() == 12 * many
    compile_all()  # the next one is


def test_the_thread_ends_without_a_word_wherever_it_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The process's end comes to the thread between any two of its lines, also those that no ``try`` is around."""

    class Falls:
        def __del__(self) -> None:
            time.sleep(0.05)

    def work() -> None:
        for _ in range(6):
            Falls()  # CPython lets no exception out of a destructor
        while True:
            time.sleep(0.001)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    monkeypatch.setattr(background, "_stop", lambda: None)
    monkeypatch.setattr(background.runtime, "handed_over", str(tmp_path / "none"))
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    monkeypatch.setattr(background, "_thread", thread)
    background.shut_down()
    assert not thread.is_alive() and capfd.readouterr().err == ""



def test_threads_take_short_turns_only_while_a_program_is_exported() -> None:
    before = sys.getswitchinterval()
    with background._short_turns():
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before
    try:
        with background._short_turns():
            sys.setswitchinterval(0.5)  # what a program sets meanwhile is left to it
        assert sys.getswitchinterval() == 0.5
    finally:
        sys.setswitchinterval(before)


def test_what_compiling_took_is_expected_of_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "_seconds_an_equation", tiers.COMPILE_SECONDS_AN_EQUATION)
    x = Tensor(np.ones((2, 11), np.float32))
    (x * 5 + 2).numpy()
    small = program.loaded()[-1]
    before = tiers.expected_seconds(small)
    tiers.learn(small, 1e3)
    small.site = None
    assert tiers.expected_seconds(small) == before  # by others, as it is too small to tell
    monkeypatch.setattr(tiers, "TELLING", small.plan.size + 1)
    (F.exp(x * 2) + F.sin(x) / 3).numpy()
    large = program.loaded()[-1]
    tiers.learn(large, 1e3)
    assert large.plan.size >= tiers.TELLING and tiers.expected_seconds(small) > 2 * before
    tiers.learn(large, 1e-6)
    assert tiers.expected_seconds(small) == before
