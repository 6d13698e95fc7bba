"""When a step runs: gradients that are cleared at once are no results of its program."""

from __future__ import annotations

import threading
import time

import numpy as np

from megengine import Parameter, graph
from megengine.autodiff import GradManager
from megengine.graph.recorder import thread
from megengine.optimizer import SGD


def _setup() -> tuple[Parameter, GradManager, SGD]:
    param = Parameter(np.ones(23, np.float32))
    return param, GradManager().attach(param), SGD([param], lr=0.5)


def _results(seen: graph.Watch) -> list[int]:
    return [len(ran.program.live) for ran in seen.ran]


def test_cleared_gradients_are_not_written_out() -> None:
    param, gm, opt = _setup()
    with graph.watch() as seen:
        for _ in range(3):
            with gm:
                loss = (param * param).sum()
                gm.backward(loss)
                opt.step().clear_grad()
            loss.item()
    assert _results(seen) == [2, 2, 2]  # the loss and the parameter
    np.testing.assert_array_equal(param.numpy(), np.zeros(23))


def test_what_comes_between_step_and_clear_grad_decides_nothing_by_time() -> None:
    param, gm, opt = _setup()
    with graph.watch() as seen:
        for k in range(6):
            with gm:
                gm.backward((param * param).sum())
            opt.step()
            if k == 2:
                time.sleep(0.05)
            opt.clear_grad()
    assert _results(seen) == [1] * 6


def test_an_ended_step_runs_when_the_next_op_is_recorded() -> None:
    param, gm, opt = _setup()
    for _ in range(3):
        with gm:
            gm.backward((param * 2).sum())
        opt.step()
        assert thread.ended is not None
        pending = param + 1
        assert thread.ended is None
        assert pending._value.array is None
        opt.clear_grad()
    np.testing.assert_array_equal(pending.numpy(), np.full(23, -1.0))


def test_gradients_kept_for_longer_are_there() -> None:
    param, gm, opt = _setup()
    with graph.watch() as seen:
        for k in range(3):
            opt.clear_grad()
            with gm:
                loss = (param * param).sum()
                gm.backward(loss)
            opt.step()
            assert loss.item() == (23.0 if k == 0 else 0.0)
            np.testing.assert_array_equal(param.grad.numpy(), np.full(23, 2.0 if k == 0 else 0.0))
    assert _results(seen) == [3, 3, 3]


def test_an_ended_step_runs_when_something_needs_it() -> None:
    param, gm, opt = _setup()
    with gm:
        gm.backward((param * 3).sum())
    opt.step()
    assert thread.ended is not None
    np.testing.assert_array_equal((param + 1).numpy(), np.full(23, 0.5))
    assert thread.ended is None
    np.testing.assert_array_equal(param.grad.numpy(), np.full(23, 3.0))


def test_another_thread_reads_what_an_ended_step_made() -> None:
    param, gm, opt = _setup()
    with gm:
        gm.backward((param * 3).sum())
    opt.step()
    found = []
    reader = threading.Thread(target=lambda: found.append(param.numpy()))
    reader.start()
    reader.join()
    np.testing.assert_array_equal(found[0], np.full(23, -0.5))
    np.testing.assert_array_equal(param.numpy(), np.full(23, -0.5))
