"""Each thread records its own graph; tensors may cross."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from megengine import Parameter, Tensor
from megengine.autodiff import GradManager


def _run(*bodies: object) -> None:
    errors: list[BaseException] = []

    def guarded(body: object) -> None:
        try:
            body()  # type: ignore[operator]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(b,), daemon=True) for b in bodies]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def test_a_pending_tensor_read_in_another_thread() -> None:
    x = Tensor([1.0, 2.0])
    y = x + 1
    got: list[np.ndarray] = []
    _run(lambda: got.append((y * 2).numpy()))
    np.testing.assert_array_equal(got[0], [4, 6])
    np.testing.assert_array_equal((y * 3).numpy(), [6, 9])


def test_threads_train_at_once() -> None:
    results: dict[int, float] = {}

    def train(k: int) -> None:
        w = Parameter(np.full(3, float(k), np.float32))
        gm = GradManager().attach(w)
        for _ in range(20):
            with gm:
                gm.backward((w * w).sum())
            w._reset(w - 0.1 * w.grad)
            w.grad = None
        results[k] = float(w.numpy()[0])

    _run(*[lambda k=k: train(k) for k in range(4)])
    for k in range(4):
        assert results[k] == pytest.approx(k * 0.8**20, rel=1e-4)


def test_reading_while_the_owner_goes_on_recording() -> None:
    shared: list[Tensor] = [Tensor([0.0, 0.0])]
    stop = threading.Event()

    def write() -> None:
        x = Tensor([0.0, 0.0])
        for n in range(300):
            x = x + 1
            shared[0] = x
            if n % 50 == 49:
                x.numpy()
        stop.set()

    def read() -> None:
        last = 0.0
        while not stop.is_set():
            a, b = shared[0].numpy()
            assert a == b and a >= last
            last = a

    _run(write, read)
    np.testing.assert_array_equal(shared[0].numpy(), [300, 300])


def test_a_recording_does_not_leak_into_another_thread() -> None:
    w = Parameter([1.0, 2.0])
    gm = GradManager().attach(w)
    other: list[Tensor] = []
    with gm:
        _run(lambda: other.append(w * 3))
        gm.backward((w * 2).sum())
    np.testing.assert_array_equal(w.grad.numpy(), [2, 2])
    np.testing.assert_array_equal(other[0].numpy(), [3, 6])
