"""What threads change together: every draw, gradient, statistic and step counts, however the threads interleave."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, amp, graph, random
from megengine.autodiff import GradManager
from megengine.autodiff.grad_manager import get_backwarding_grad_manager
from megengine.graph.options import options
from megengine.jit import trace
from megengine.optimizer import SGD, Adam

THREADS = 4


@pytest.fixture(autouse=True)
def _switching_all_the_time() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _in_threads(body: Callable[[int], Any]) -> list[Any]:
    """What ``body(k)`` returns in each of some threads that begin together."""
    results: list[Any] = [None] * THREADS
    errors: list[BaseException] = []
    begin = threading.Barrier(THREADS)

    def run(k: int) -> None:
        try:
            begin.wait()
            results[k] = body(k)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return results


def _all_of(body: Callable[[], Any], count: int) -> list[Any]:
    """What so many calls in each thread return."""
    return [made for results in _in_threads(lambda _: [body() for _ in range(count)]) for made in results]


DRAWS = {
    "uniform": lambda: random.uniform(size=(2,)),
    "normal": lambda: random.normal(size=(2,)),
    "gamma": lambda: random.gamma(2.0, size=(2,)),
    "dropout": lambda: F.dropout(F.ones((64,)), 0.5),
    "permutation": lambda: random.permutation(50),
}


def _multiset(draws: list[np.ndarray]) -> list[bytes]:
    return sorted(d.tobytes() for d in draws)


@pytest.mark.parametrize("kind", DRAWS)
def test_every_draw_is_another(kind: str) -> None:
    draw, count = DRAWS[kind], 60
    random.seed(7)
    expected = _multiset([draw().numpy() for _ in range(THREADS * count)])
    random.seed(7)
    got = _all_of(lambda: draw().numpy(), count)
    assert len(set(expected)) == len(expected)
    assert _multiset(got) == expected


def test_draws_that_are_read_later_in_another_thread() -> None:
    random.seed(7)
    expected = _multiset([random.uniform(size=(2,)).numpy() for _ in range(THREADS * 10)])
    random.seed(7)
    got = _all_of(lambda: random.uniform(size=(2,)), 10)
    assert _multiset([d.numpy() for d in got]) == expected


def test_one_rng_object_and_the_generator_of_the_cpu() -> None:
    rng = random.RNG(seed=5)
    got = _all_of(lambda: rng.normal(size=(2,)).numpy(), 50)
    assert len(set(_multiset(got))) == len(got)
    random.set_generator("xoroshiro128+")
    try:
        got = _all_of(lambda: random.uniform(size=(2,)).numpy(), 50)
        assert len(set(_multiset(got))) == len(got)
    finally:
        random.set_generator("xorwow")


@pytest.mark.parametrize("read", [False, True])
def test_gradients_of_shared_parameters_add_up(read: bool) -> None:
    params = [Parameter(np.full(3, k, np.float32)) for k in range(3)]
    x, rounds = np.arange(3, dtype=np.float32), 15

    def train(k: int) -> None:
        gm = GradManager().attach(params)
        for _ in range(rounds):
            with gm:
                loss = sum(((p * Tensor(x)).sum() * (k + 1) for p in params), Tensor(0.0))
                gm.backward(loss)
            if read:
                loss.item()

    _in_threads(train)
    for p in params:
        np.testing.assert_array_equal(p.grad.numpy(), x * rounds * sum(range(1, THREADS + 1)))


def test_recordings_that_overlap_leave_no_chain_behind() -> None:
    w = Parameter([1.0])
    managers = [GradManager().attach(w) for _ in range(2)]
    managers[0].record()
    for n in range(1, 100):
        managers[n % 2].record()
        managers[(n + 1) % 2].release()
    node, length = w._node, 0
    while node is not None and node.parents:
        node, length = node.parents[0][0], length + 1
    assert length <= 3
    for manager in managers:
        manager.release()


def test_each_thread_has_its_own_running_backward() -> None:
    seen: list[bool] = []

    def train(_: int) -> None:
        w = Parameter([1.0])

        def callback(_: Tensor, grad: Tensor) -> Tensor:
            seen.append(get_backwarding_grad_manager() is gm)
            return grad

        gm = GradManager().attach(w, callbacks=callback)
        for _ in range(30):
            with gm:
                gm.backward(w * 2)

    _in_threads(train)
    assert len(seen) == 30 * THREADS and all(seen)


@pytest.mark.parametrize("eps_mode", ["additive", "max"])
def test_running_statistics_take_every_batch(eps_mode: str) -> None:
    mean, var = Tensor([0.0]), Tensor([1.0])
    x, rounds = np.ones((4, 1, 1, 1), np.float32), 10

    def train(_: int) -> None:
        for _ in range(rounds):
            F.nn.sync_batch_norm(Tensor(x), mean, var, training=True, momentum=0.9, eps_mode=eps_mode).numpy()

    _in_threads(train)
    kept = 0.9 ** (THREADS * rounds)
    np.testing.assert_allclose(mean.numpy(), [1 - kept], rtol=1e-4)
    np.testing.assert_allclose(var.numpy(), [kept], rtol=1e-4)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_every_step_of_a_shared_optimizer_counts(kind: Any) -> None:
    p, rounds = Parameter([0.0]), 25
    p.grad = Tensor([-1.0])
    optimizer = kind([p], lr=1.0)
    _in_threads(lambda _: [optimizer.step() for _ in range(rounds)])
    np.testing.assert_allclose(p.numpy(), [THREADS * rounds], rtol=1e-4)  # Adam's steps are lr long, too


@pytest.mark.parametrize("traced", [False, True])
def test_inference_on_one_module(traced: bool, rng: np.random.Generator) -> None:
    net = M.Sequential(M.Linear(4, 8), M.ReLU(), M.BatchNorm1d(8), M.Linear(8, 2))
    net.eval()
    inputs = [rng.normal(size=(n % 3 + 1, 4)).astype(np.float32) for n in range(12)]
    expected = [net(Tensor(x)).numpy() for x in inputs]
    call = trace(lambda x: net(x), without_host=True) if traced else net

    def infer(_: int) -> None:
        for _ in range(5):
            for x, y in zip(inputs, expected, strict=True):
                np.testing.assert_allclose(call(Tensor(x)).numpy(), y, rtol=1e-5)

    _in_threads(infer)


def test_traced_steps_that_share_a_counter() -> None:
    total = Tensor([0.0])

    @trace(without_host=True)
    def count(x: Tensor) -> Tensor:
        total[...] = total + x
        return total * 1

    for _ in range(3):
        count(Tensor([1.0]))
    _in_threads(lambda _: [count(Tensor([1.0])).numpy() for _ in range(20)])
    assert total.item() == 3 + 20 * THREADS


@pytest.mark.usefixtures("compiled")
def test_what_is_compiled_at_once_is_compiled_once() -> None:
    before = graph.counters.snapshot()
    flushes = sum(before["flushes"].values())  # type: ignore[attr-defined]

    def compute(k: int) -> float:
        return sum(F.exp(Tensor(np.full((3, 5), k, np.float32)) * 0).sum().item() for _ in range(20))

    assert _in_threads(compute) == [300.0] * THREADS
    after = graph.counters
    made = sum(after.compilations.values()) - sum(before["compilations"].values())  # type: ignore[attr-defined]
    assert made == 1
    assert sum(after.flushes.values()) - flushes == 20 * THREADS
    assert after.hits - before["hits"] == 20 * THREADS - 1  # type: ignore[operator]


def test_different_programs_compile_at_once() -> None:
    def compute(k: int) -> list[float]:
        return [sum([Tensor([1.0, 2.0]) * float(k) for _ in range(n)], Tensor(0.0)).sum().item() for n in range(1, 7)]

    assert _in_threads(compute) == [[3.0 * k * n for n in range(1, 7)] for k in range(THREADS)]


def test_settings_of_blocks_that_overlap_end() -> None:
    def alternate(_: int) -> None:
        for _ in range(20):
            with graph.check_nan():
                assert options.check_nan
            with amp.autocast():
                pass

    _in_threads(alternate)
    assert not options.check_nan and not amp.enabled
