"""Short graphs run as the last time are run as they would be otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import fast_path, flushing, program
from megengine.graph.counters import counters
from megengine.graph.host_array import HostArray
from megengine.graph.recorder import thread


@pytest.fixture(autouse=True)
def _on_the_host() -> Iterator[None]:
    with graph.tier("host"):
        yield


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each flush of a structure that was run before, whether it took the fast path."""
    seen: list[bool] = []

    def watched(*args: Any) -> bool:
        known = args[0].node.last is not None
        done = fast_path.run_as_last(*args)
        if known:
            seen.append(done)
        return done

    monkeypatch.setattr(flushing, "run_as_last", watched)
    return seen


def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((3, 4), np.float32), rng.standard_normal((3, 4), np.float32)


def test_numbers_and_counts(taken: list[bool]) -> None:
    a, b = arrays()
    x, y = Tensor(a), Tensor(b)
    before = counters.snapshot()
    for k in range(5):
        np.testing.assert_array_equal((x * (k + 0.5) + y).numpy(), a * np.float32(k + 0.5) + b)
    assert taken == [True] * 4
    after = counters.snapshot()
    assert after["flushes"]["read"] - before["flushes"].get("read", 0) == 5  # type: ignore[index,attr-defined]
    assert after["ops"] - before["ops"] == 10 and after["hits"] - before["hits"] == 4  # type: ignore[operator]
    assert after["interpreted"] - before["interpreted"] == 5  # type: ignore[operator]


def test_other_values_may_live_each_time(taken: list[bool]) -> None:
    a, b = arrays()
    x, y = Tensor(a), Tensor(b)
    for keep in (False, True, True, False, False, True):
        product = x * y
        total = product + 1
        if not keep:
            del product
        np.testing.assert_array_equal(total.numpy(), a * b + 1)
        if keep:
            np.testing.assert_array_equal(product.numpy(), a * b)
    assert taken == [False, True, False, True, False]


def test_an_interrupt_loses_nothing(taken: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = arrays()
    x, y = Tensor(a), Tensor(b)
    for _ in range(2):
        (x + y).numpy()
    last = x + y
    run = program.Program._run_first
    made = thread.recorder.node.last.program
    for when in ("before", "after"):

        def interrupted(*args: Any, when: str = when) -> Any:
            if when == "after":
                run(made, *args)
            raise KeyboardInterrupt

        monkeypatch.setattr(made, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            last.numpy()
        assert last._value.array is None
    monkeypatch.undo()
    following = last * 2
    np.testing.assert_array_equal(last.numpy(), a + b)
    np.testing.assert_array_equal(following.numpy(), (a + b) * 2)


def test_a_result_that_was_handed_out_before_an_interrupt_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = arrays()
    x, y = Tensor(a), Tensor(b)

    def both() -> tuple[Tensor, Tensor]:
        product = x * y
        return product, product + 1

    for _ in range(2):
        both()[1].numpy()
        [t.numpy() for t in both()]
    product, total = both()
    product._value.array = (a * b).view(HostArray)  # as an interrupt amid handing out leaves it
    np.testing.assert_array_equal(total.numpy(), a * b + 1)
    np.testing.assert_array_equal(product.numpy(), a * b)


def test_a_failure_is_told_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = arrays()
    x, y = Tensor(a), Tensor(b)
    for _ in range(2):
        (x + y).numpy()
    last = x + y

    def fails(*args: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr(thread.recorder.node.last.program, "run", fails)
    with pytest.raises(MemoryError, match="no room") as info:
        last.numpy()
    assert "test_fast_path.py" in "".join(info.value.__notes__)


def test_what_asks_for_care_gets_it(taken: list[bool]) -> None:
    a, b = arrays()
    x, y = Tensor(a), Tensor(b)
    for _ in range(3):
        (x / y).numpy()
    assert taken == [True, True]
    with graph.check_nan(), pytest.raises(FloatingPointError, match="test_fast_path.py"):
        (x / Tensor(np.full((3, 4), np.nan, np.float32))).numpy()
    with graph.watch() as watched:
        (x / y).numpy()
    assert len(watched) == 1
    with graph.tier("compiled"):
        np.testing.assert_allclose((x / y).numpy(), a / b, rtol=1e-6)
    assert not any(taken[2:])


def test_graphs_whose_residuals_are_kept_are_run_as_such(taken: list[bool]) -> None:
    a, _ = arrays()
    x = Tensor(a)
    manager = GradManager().attach([x])
    for k in range(3):
        with manager:
            loss = (x * x * float(k)).sum()
            before = len(taken)
            loss.item()
            assert not any(taken[before:])
            manager.backward(loss)
        assert x.grad is not None
        np.testing.assert_allclose(x.grad.numpy(), 2 * k * a, rtol=1e-6)
        x.grad = None


def test_a_program_that_is_unloaded_is_not_run(taken: list[bool]) -> None:
    a, b = arrays()
    x, y = Tensor(a), Tensor(b)
    (x - y).numpy()
    last = x - y
    program.discard(thread.recorder.node.last.program)
    np.testing.assert_array_equal(last.numpy(), a - b)
    assert not taken


def test_threads(taken: list[bool]) -> None:
    a, b = arrays()
    x, y = Tensor(a), Tensor(b)
    failures: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for _ in range(50):
                np.testing.assert_array_equal(F.maximum(x * k, y).numpy(), np.maximum(a * np.float32(k), b))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures and sum(taken) > 150
