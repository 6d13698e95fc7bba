"""Chance does not have a call recorded again: garbage collections, structures that were forgotten, addresses used twice."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import trie
from megengine.graph.capture import capture_call
from megengine.graph.origins import Constant
from megengine.graph.recorder import thread
from megengine.graph.value import Value
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
    level, collecting, go_on = [1.0], threading.Semaphore(0), threading.Semaphore(0)

    def scaled(x: Tensor) -> Tensor:
        return x * level[0]

    @trace(without_host=True)
    def f(x: Tensor) -> Tensor:
        other = threading.Thread(target=gc.collect)
        other.start()
        collecting.acquire(timeout=60)
        y = scaled(x)
        go_on.release()
        other.join()
        return y

    def wait(phase: str, info: object) -> None:
        if phase == "start" and threading.current_thread() is not threading.main_thread():
            collecting.release()
            go_on.acquire(timeout=60)

    before = graph.counters.replays
    with collections(often=False):
        for number in range(2 * CALLS):
            level[0] = 1.0 + number // CALLS
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


@every_call
def test_forgotten_structures_are_recognised(which: int | str) -> None:
    step, replays = trainer(), graph.counters.replays
    for number in range(CALLS):
        if which in (number, "all"):
            trie.forget()
        step()
    assert graph.counters.replays - replays == CALLS - 2


def structure_of(shape: tuple[int, ...], axis: int, scaled: bool, doubled: bool) -> trie.Node:
    trie.forget()
    graph.flush()
    x, y = Tensor(np.ones(shape, np.float32)), Tensor(np.ones(shape, np.float32))
    gm = GradManager().attach([x, y])
    with gm:
        z = F.sum(x * 2.0 + y if scaled else x * y, axis)
        gm.backward((z * 2 if doubled else z).sum())
        return thread.recorder.node


def test_structures_are_equal_whose_instructions_are() -> None:
    cases = [((2, 3), 0, False, False), ((3, 2), 0, False, False), ((2, 3), 1, False, False)]
    cases += [((2, 3), 0, True, False), ((2, 3), 0, False, True)]
    first, again = ([structure_of(*case) for case in cases] for _ in range(2))
    for k, one in enumerate(first):
        assert [one.equals(other) for other in again] == [k == number for number in range(len(cases))]
        assert one is not again[k]


@pytest.mark.parametrize("side", ["arg", "grad"])
def test_a_value_at_the_address_of_one_that_is_gone_is_another(side: str) -> None:
    x = Tensor([1.0])
    x.grad = Tensor([2.0])
    met: list[type] = []

    def body() -> None:
        capture: Any = thread.recorder.capture
        holder: Any = x if side == "arg" else x.grad
        address, aval, device = id(holder._value), holder._value.aval, holder._value.device
        held = [Value(None, aval, None, device)]
        holder._value = held[0]
        while id(held[-1]) != address and len(held) < 100_000:
            held.append(Value(None, aval, None, device))
        assert id(held[-1]) == address
        capture.data(held[-1])
        met.append(type(capture.origin(held[-1])))

    capture_call(body, [x], False)
    assert met == [Constant]
