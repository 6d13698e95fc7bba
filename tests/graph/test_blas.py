"""Threads of NumPy's products: one where they would wait for each other."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import megengine.functional as F
from megengine import Tensor, graph
from megengine.graph import background, blas
from megengine.graph.host import matmul


@pytest.fixture(autouse=True)
def _nothing_compiles() -> None:
    """What an earlier test left to be compiled, and a program that it interrupted, have one thread."""
    background.wait(60)
    blas._reasons.clear()
    blas.end()
    blas.adapt()


def threads() -> list[int]:
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


def test_one_thread_as_long_as_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    load = [0.0]
    monkeypatch.setattr("os.getloadavg", lambda: (load[0], 0.0, 0.0))
    monkeypatch.setattr(blas, "LOOKS_EVERY", 0.0)
    blas.adapt()
    before = threads()
    assert before
    with blas.single_thread("this test"):
        assert set(threads()) == {1}
        load[0] = 1000.0
        blas.adapt()
    assert set(threads()) == {1}  # the machine is busy
    load[0] = 0.0
    blas.adapt()
    assert threads() == before


def test_every_thread_of_the_process_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr(blas, "LOOKS_EVERY", 0.0)
    blas.adapt()
    before, seen = threads(), []
    limited, leave = threading.Event(), threading.Event()

    def work() -> None:
        with blas.single_thread("another thread"):
            seen.append(set(threads()))
        limited.set()
        leave.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert limited.wait(60) and seen == [{1}] and threads() == before
        with blas.single_thread("this test"):
            assert set(threads()) == {1}
    finally:
        leave.set()
        thread.join()
    assert threads() == before


def test_it_looks_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr("os.getloadavg", lambda: looks.append(1) or (0.0, 0.0, 0.0))
    monkeypatch.setattr(blas, "_looked", 0.0)
    monkeypatch.setattr(blas, "LOOKS_EVERY", 3600.0)
    monkeypatch.setattr("time.monotonic", lambda: 4000.0)
    for _ in range(5):
        blas.adapt()
    assert len(looks) == 1


def test_what_an_interrupt_divides_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr(blas, "LOOKS_EVERY", 0.0)
    blas.adapt()
    before = threads()

    class Interrupted:
        def __init__(self) -> None:
            raise KeyboardInterrupt

    for leaves in (False, True):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            if not leaves:
                patch.setattr(blas, "ThreadpoolController", Interrupted)
            with blas.single_thread("this test"):
                assert set(threads()) == {1}
                patch.setattr(blas, "ThreadpoolController", Interrupted)
        blas._reasons.discard("this test")
        blas.adapt()
        assert threads() == before


def test_only_large_products_take_more_than_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = threads(), []

    def counted(count: int) -> None:
        blas.multiplies(count)
        seen.append(set(threads()))

    monkeypatch.setattr(matmul, "multiplies", counted)
    monkeypatch.setattr(blas, "LARGE", 128**3)
    large, small, smallest = (Tensor(np.ones((n, n), np.float32)) for n in (128, 64, 8))
    with graph.tier("host"):
        F.matmul(smallest, smallest).numpy()
        assert seen == []
        for _ in range(2):
            seen.clear()
            y = F.matmul(F.matmul(F.matmul(large, large) * (1 / 128), small[0, 0] * large), large) * (1 / 128**2)
            z = F.matmul(small, small)
            np.testing.assert_allclose(y.numpy().sum() + z.numpy().sum(), 128**2 + 64**3, rtol=1e-5)
            assert sorted(seen, key=len) == sorted([set(before)] * 3 + [{1}], key=len)
            assert threads() == before  # what is not the engine's has all threads


def test_a_tier_that_was_asked_for_gives_the_same_digits_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    load = [0.0]
    monkeypatch.setattr("os.getloadavg", lambda: (load[0], 0.0, 0.0))
    monkeypatch.setattr(blas, "LOOKS_EVERY", 0.0)
    rng = np.random.default_rng(0)
    x, y = (Tensor(rng.standard_normal(shape).astype("float32")) for shape in ((1000, 784), (784, 128)))
    with graph.tier("host"):
        quiet = F.matmul(x, y).numpy()
        load[0] = 1000.0
        np.testing.assert_array_equal(F.matmul(x, y).numpy(), quiet)
    blas._reasons.clear()
    blas.end()
