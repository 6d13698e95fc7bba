"""Chance does not have a call recorded again: the garbage collector runs when it will."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.jit import trace

CALLS = 6
noticed: list[int] = []
every_call = pytest.mark.parametrize("which", [*range(CALLS), "all"])


def notice(*_: object) -> None:
    """Changes what it reads: a function that did this would have to run at every call."""
    noticed.append(len(noticed))


class Dropped:
    """Garbage that only a collection finds, and that does something then."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        notice()


@contextmanager
def collections(often: bool) -> Iterator[None]:
    """At every allocation of a container, or none."""
    before = gc.get_threshold()
    gc.set_threshold(*((1, 1, 1) if often else (1_000_000, 10, 10)))
    try:
        yield
    finally:
        gc.set_threshold(*before)


def trainer(garbage: bool = False) -> Callable[[], Tensor]:
    """A step of training, its gradients and state included."""
    p, m = Parameter(np.ones((3, 2), np.float32)), Tensor(np.zeros((3, 2), np.float32))
    gm = GradManager().attach(p)

    @trace(without_host=True)
    def step(x: Tensor) -> Tensor:
        if garbage:
            Dropped()
        with gm:
            loss = ((x @ p) ** 2).mean()
            gm.backward(loss)
        m._reset(m * 0.9 + p.grad)
        p._reset(p - 0.1 * m)
        p.grad = None
        return loss

    return lambda: step(Tensor(np.ones((4, 3), np.float32)))


@every_call
def test_callbacks_of_the_garbage_collector_are_not_the_functions(which: int | str) -> None:
    step, times, replays = trainer(), len(noticed), graph.counters.replays
    gc.callbacks.append(notice)
    try:
        for number in range(CALLS):
            with collections(often=which in (number, "all")):
                step()
    finally:
        gc.callbacks.remove(notice)
    assert len(noticed) > times and graph.counters.replays - replays == CALLS - 2


@every_call
def test_finalizers_of_garbage_are_not_the_functions(which: int | str) -> None:
    step, times, replays = trainer(garbage=True), len(noticed), graph.counters.replays
    for number in range(CALLS):
        with collections(often=which in (number, "all")):
            step()
    gc.collect()
    assert len(noticed) > times and graph.counters.replays - replays == CALLS - 2


def test_collections_of_another_thread_hide_nothing() -> None:
    """What a body runs while another thread collects is the body's."""
    level, collecting, go_on = [1.0], threading.Event(), threading.Event()

    def scaled(x: Tensor) -> Tensor:
        return x * level[0]

    @trace(without_host=True)
    def f(x: Tensor) -> Tensor:
        other = threading.Thread(target=gc.collect)
        other.start()
        collecting.wait(60)
        y = scaled(x)
        go_on.set()
        other.join()
        return y

    def wait(phase: str, info: object) -> None:
        if phase == "start" and threading.current_thread() is not threading.main_thread():
            collecting.set()
            go_on.wait(60)

    before = graph.counters.replays
    with collections(often=False):
        for number in range(2 * CALLS):
            level[0] = 1.0 + number // CALLS
            collecting.clear()
            go_on.clear()
            gc.callbacks.append(wait)
            try:
                assert f(Tensor([1.0])).item() == level[0]
            finally:
                gc.callbacks.remove(wait)
    assert graph.counters.replays - before >= CALLS - 2


def test_a_recording_leaves_the_collectors_callbacks_as_they_were() -> None:
    before = list(gc.callbacks)
    trainer()()

    @trace(without_host=True)
    def failing(x: Tensor) -> Tensor:
        raise KeyError("inside")

    with pytest.raises(KeyError):
        failing(Tensor([1.0]))
    assert gc.callbacks == before and sys.getprofile() is None


def test_a_body_that_sets_a_profile_function_runs_at_every_call() -> None:
    level, ran = [1.0], []

    def scaled(x: Tensor) -> Tensor:
        ran.append(1)
        return x * level[0]

    @trace(without_host=True)
    def f(x: Tensor) -> Tensor:
        sys.setprofile(None)
        return scaled(x)

    for number in range(2 * CALLS):
        level[0] = 1.0 + number // CALLS
        assert f(Tensor([1.0])).item() == level[0]
    assert len(ran) == 2 * CALLS
