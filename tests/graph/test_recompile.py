"""Recompilation is said, can be refused, and ends in op-by-op execution where shapes never settle."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import background, flushing, recompile, recorder, tiers
from megengine.graph.program import loaded
from megengine.optimizer import SGD

pytestmark = pytest.mark.usefixtures("compiled")


def _here(x: Tensor) -> np.ndarray:
    return ((x + 1) * 2).numpy()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("megengine"), "propagate", True)
    caplog.set_level(logging.WARNING, logger="megengine.graph")  # not that a compilation takes long on a busy machine
    return caplog


def test_a_place_that_keeps_compiling_is_told_once_with_what_differs(log: pytest.LogCaptureFixture) -> None:
    def once(x: Tensor) -> np.ndarray:
        return (x * 3 - 1).numpy()

    for n in range(2, 2 + recompile.TOLD_AFTER):
        once(Tensor(np.zeros((n, 4099), np.float32)))
        assert not log.records
    for n in range(60, 64):
        once(Tensor(np.zeros((n, 4099), np.float32)))
    [record] = log.records
    assert record.levelno == logging.WARNING and "test_recompile.py:" in record.getMessage()
    assert (
        "5 times in a row" in record.getMessage() and "(60, 4099), was (5, 4099); pad or bucket" in record.getMessage()
    )


@pytest.mark.parametrize(
    ("kind", "advice"), [("dtype", "one dtype"), ("op", "as tensors"), ("liveness", "same results")]
)
def test_other_differences_are_told_too(
    kind: str, advice: str, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def once(number: int) -> list[Tensor]:
        y = Tensor(np.zeros(103, np.int32 if kind == "dtype" and number % 2 else np.float32)) + number
        values = []
        for _ in range(number if kind == "op" else 7):
            y = y * 2
            values.append(y)
        kept = values[:number] if kind == "liveness" else []
        del values
        y.numpy()
        return kept

    with monkeypatch.context() as small:
        small.setattr(graph.options, "programs_bytes", 1)  # or the third call would find the first one's program
        for number in range(1, 7):
            once(number)
    assert [advice in record.getMessage() for record in log.records] == [True], log.text


def test_an_epoch_with_a_smaller_last_batch_is_nothing_to_report(log: pytest.LogCaptureFixture) -> None:
    weight = Parameter(np.ones((3, 2), np.float32))
    manager = GradManager().attach(weight)

    def step(n: int, train: bool) -> float:
        x = Tensor(np.ones((n, 3), np.float32))
        with manager:
            loss = F.exp(x @ weight).mean()
            if train:
                manager.backward(loss)
        weight.grad = None
        return float(loss)

    for _ in range(3):
        for n in (67, 67, 67, 5):
            step(n, True)
        for n in (71, 71, 9):
            step(n, False)
    assert not log.records


@pytest.mark.parametrize(
    ("filename", "size"), [("<stdin>", 200), ("<string>", 230), ("<ipython-input-1-abc>", 260), ("<console>", 290)]
)
def test_statements_typed_at_a_prompt_are_places_of_their_own(
    filename: str, size: int, log: pytest.LogCaptureFixture
) -> None:
    names = {"F": F, "x": Tensor(np.ones(size, np.float32))}
    for function in ("exp", "sin", "cos", "tanh", "abs", "sqrt", "square", "floor"):
        exec(compile(f"y = F.{function}(x + 1).numpy()", filename, "exec"), names)
    assert not log.records
    # The same statement again and again is one place.
    for n in range(size + 1, size + 11):
        names["x"] = Tensor(np.ones(n, np.float32))
        exec(compile("y = (F.exp(x) - 1).numpy()", filename, "exec"), names)
    assert len(log.records) == 1 and f"{filename}:1" in log.text


def test_silent_means_silent(log: pytest.LogCaptureFixture) -> None:
    def once(n: int) -> np.ndarray:
        return ((Tensor(np.ones(n, np.float32)) + 1) * 2).numpy()

    with graph.on_recompile("silent"):
        for n in range(131, 142):
            once(n)
    assert not log.records


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


def test_what_follows_changing_shapes_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
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
            counts.append([len(ran.function.equations) for ran in seen.ran])
            compiled = graph.counters.compilations.total() - before
            with graph.tier("host"), graph.eager():
                wanted = once(n)
            np.testing.assert_allclose(value, wanted[0], rtol=1e-5)
            np.testing.assert_allclose(gradient, wanted[1], rtol=1e-5)
        assert sum(counts[0]) == sum(counts[-1]) and len(counts[-1]) == len(counts[0]) + 1
        assert compiled == 1  # the few ops of changing shapes
    finally:
        recompile.forget_call_sites()


def test_what_comes_before_changing_shapes_is_compiled_once() -> None:
    """A backbone, and the gradients of its parameters, with a head for as many objects as there are."""
    weight = Parameter(np.linspace(0.1, 1.0, 41, dtype=np.float32))
    manager = GradManager().attach(weight)

    def once(n: int) -> tuple[np.ndarray, np.ndarray]:
        with manager:
            y = F.exp(weight)
            for _ in range(recompile.WORTH_A_CUT_BEHIND // 2):
                y = F.tanh(y) + weight
            overlaps = F.abs(F.expand_dims(y, 0) - F.expand_dims(Tensor(np.linspace(0, 1, n, dtype=np.float32)), 1))
            near = F.min(overlaps, axis=0) < 0.05 * F.max(overlaps)
            picked = y[near] * 3
            manager.backward((picked * picked).sum())
        value, gradient = picked.numpy(), weight.grad.numpy()
        weight.grad = None
        return value, gradient

    counts, compiled = [], []
    try:
        for n in range(3, 15):
            before = graph.counters.compilations.total()
            with graph.watch() as seen:
                value, gradient = once(n)
            counts.append([len(ran.function.equations) for ran in seen.ran])
            compiled.append(graph.counters.compilations.total() - before)
            with graph.tier("host"), graph.eager():
                wanted = once(n)
            np.testing.assert_allclose(value, wanted[0], rtol=1e-5)
            np.testing.assert_allclose(gradient, wanted[1], rtol=1e-4, atol=1e-4)
        assert sum(counts[0]) == sum(counts[-1])
        assert counts[0][0] > counts[-1][0] >= recompile.WORTH_A_CUT_BEHIND
        small = [count for count in counts[-1] if count <= recompile.WORTH_A_CUT_BEHIND]
        assert compiled[-1] <= len(small) and sum(small) < 25
    finally:
        recompile.forget_call_sites()


@pytest.mark.parametrize(("count", "size"), [(12, 3), (1, recompile.WORTH_A_CUT_ELEMENTS)])
def test_a_step_of_changing_shapes_leaves_its_updates_to_one_program(count: int, size: int) -> None:
    """Many parameters, or few large ones."""
    params = [Parameter(np.full(size, k + 1.0, np.float32)) for k in range(count)]
    manager, optimizer = GradManager().attach(params), SGD(params, lr=0.25)
    programs = []
    try:
        with graph.tier("host"):
            for n in range(3, 12):
                with graph.watch() as seen:
                    with manager:
                        x = Tensor(np.ones((n, 1), np.float32))
                        manager.backward(sum(((x * param) ** 2).mean(axis=0).sum() for param in params))
                    optimizer.step().clear_grad()
                    params[0].numpy()
                programs.append([[e.name for e in ran.function.equations] for ran in seen.ran])
        assert len(programs[0]) == 1 and "sgd" in programs[0][0]
        *_, updates = programs[-1]
        assert len(programs[-1]) == 2 and set(updates) == {"sgd"} and len(updates) == count
        assert max(p.hits for p in loaded() if p.names() == ["sgd"] * count) > 3
        for k, param in enumerate(params):
            np.testing.assert_allclose(param.numpy(), np.full(size, (k + 1.0) * 0.5**9, np.float32), rtol=1e-5)
    finally:
        recompile.forget_call_sites()


def test_compiling_for_other_sizes_is_expected_to_take_as_long_as_it_took() -> None:
    def once(n: int) -> Any:
        (Tensor(np.ones(n, np.float32)) * 3 + 1).numpy()
        return loaded()[-1]

    with graph.tier("auto"):
        first, second = once(1031), once(1033)
    assert first.site is second.site is not None
    by_size = tiers.expected_seconds(second)
    first.site.seconds = 123.0
    assert tiers.expected_seconds(second) == 123.0
    first.site.seconds = 0.0
    assert 0 < tiers.expected_seconds(second) == by_size < 1
    background.submit(first)
    assert background.wait(60)
    assert first.site.seconds > 0


@pytest.mark.parametrize("depth", [1, 5, 30, 80, 86, 90, 96, 97, 200])
def test_no_step_of_an_optimizer_is_cut(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would be by a split of another network's graph that begins at the same line."""
    params = [Parameter(np.full(3, k + 1.0, np.float32)) for k in range(12)]
    manager, optimizer = GradManager().attach(params), SGD(params, lr=0.5)
    monkeypatch.setattr(flushing, "split_after", lambda source: depth)
    monkeypatch.setattr(recorder, "any_split", lambda: True)
    with graph.tier("host"), graph.watch() as seen:
        with manager:
            manager.backward(sum((param * param).sum() for param in params))
            optimizer.step().clear_grad()
        values = [param.numpy() for param in params]
    updates = [sum(e.name == "sgd" for e in ran.function.equations) for ran in seen.ran]
    assert len(updates) > 1 or depth > 85
    assert updates == [*[0] * (len(updates) - 1), len(params)]
    assert not np.any(values)


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
