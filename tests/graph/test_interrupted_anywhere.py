"""An interrupt, wherever it comes, leaves nothing in force that a block or a call had set for itself, and none is lost."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.autodiff.grad_manager import get_backwarding_grad_manager
from megengine.graph import modes, precision, program, recorder, scopes
from megengine.graph.calling import CallingPython
from megengine.graph.options import options
from megengine.jit import trace
from megengine.jit.without_host import _recording
from megengine.ops.onednn import custom_call
from megengine.tensor.sizes import asked
from megengine.traced_module import patching, trace_module
from tests.graph.interrupting import interrupted_at

X = np.ones((2, 3), "float32")
anywhere = pytest.mark.skipif(sys.version_info >= (3, 12), reason="tracing of instructions is another in Python 3.12")


def in_force() -> dict[str, object]:
    """What lasts for a call or a block only."""
    own = recorder.thread.recorder
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    return {
        "shapes with numpy()": list(asked),
        "scopes": (scopes.here.names, scopes.enabled, list(scopes.listeners)),
        "observers": list(program._observers),
        "watchers": list(recorder.thread.watchers),
        "blocks": {name: len(blocks) for name, blocks in modes._blocks.items()},
        "tier": options.tier,
        "precision": precision.current(),
        "recording": (own.tapes, own.capture, recorder.thread.undo),
        "manager": get_backwarding_grad_manager(),
        "calls recorded": dict(_recording),
        "signals": [signal.getsignal(number) for number in numbers],
        "switch interval": sys.getswitchinterval(),
        "functions": (mge.functional.relu, mge.random.normal),
    }


def training(**settings: Any) -> Callable[[], object]:
    """A step with every kind of block, the manager's without a backward pass included."""
    net, manager = M.Sequential(M.Linear(3, 2), M.ReLU()), GradManager()
    manager.attach(net.parameters())

    def step(x: Tensor) -> Tensor:
        with manager, mge.amp.autocast(low_prec_dtype="bfloat16"):
            loss = net(x).sum()
            manager.backward(loss)
        with manager:
            return net(x).sum() + loss

    call = trace(step, **settings) if settings else step

    def body() -> object:
        with graph.tier("host"):
            return call(Tensor(X)).item()

    return body


exit_of_autocast = f"amp/autocast.py:{mge.amp.autocast.__exit__.__code__.co_firstlineno}"


def watching() -> Callable[[], object]:
    net = M.Linear(3, 2)

    def body() -> object:
        with graph.watch():
            return net.name

    return body


def tracing_a_module() -> Callable[[], object]:
    net = M.Sequential(M.ReLU())
    return lambda: trace_module(net, Tensor(X))


KINDS: dict[str, tuple[Callable[[], Callable[[], object]], int]] = {
    "imperative": (training, 5),
    "traced": (lambda: training(symbolic=True), 3),
    "without host": (lambda: training(without_host=True), 1),
    "profiled": (lambda: training(profiling=True), 13),
    "watched": (watching, 1),
    "module": (tracing_a_module, 10007),
}


@anywhere
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_stays_in_force(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, stride = KINDS[kind]
    monkeypatch.setattr(patching, "_ROUNDS", sys.maxsize)  # beyond some, methods are left as they are
    body = make()
    for _ in range(4):
        body()
    number, interrupts, lost, left = 1, 0, [], {}
    while True:
        before = in_force()
        came, where = interrupted_at(number, body)
        if not where:  # there are no more such places
            break
        if not came:
            lost.append(where)
        body()
        after = in_force()
        left |= {(name, where): after[name] for name in before if before[name] != after[name]}
        number, interrupts = number + stride, interrupts + came
    assert interrupts > 10
    # Nothing in Python guards the very call of an end, which a manager notices when it begins again.
    assert not lost and not [name for name in left if name != ("precision", exit_of_autocast)]


@anywhere
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that is closed late
def test_a_file_is_the_old_one_or_the_new_one_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    states = [M.Linear(3, 2).state_dict() for _ in range(2)]
    path, number, where = tmp_path / "net.mge", 0, "the beginning"
    mge.save(states[0], path)
    while where:
        number += 1
        came, where = interrupted_at(number, lambda number=number: mge.save(states[number % 2], path))
        assert came or not where, where
        assert [file.name for file in tmp_path.iterdir()] == ["net.mge"], where
        saved = mge.load(path)
        assert any(all(np.array_equal(saved[name], state[name]) for name in state) for state in states), where
    assert number > 100


@anywhere
@pytest.mark.skipif(not custom_call.ready(), reason="oneDNN is not installed")
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGALRM])
def test_signals_amid_the_beginning_and_the_end_of_a_call(by: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    custom_call.names_known()
    monkeypatch.setattr("megengine.graph.calling.custom_call.names_known", lambda: True)

    def body() -> None:
        with CallingPython(True):
            pass

    came = 0
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGALRM)}
    try:
        for number in range(1, 400):
            before = in_force()
            was_interrupted, where = interrupted_at(number, body, by)
            if not where:
                break
            came += was_interrupted
            assert was_interrupted, where
            assert in_force() == before, where
        assert came > 20
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_a_signal_is_heard_after_an_exception_amid_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    call = CallingPython(True, holds=True)
    call.__enter__()
    give_back = CallingPython._give_back
    monkeypatch.setattr(CallingPython, "_give_back", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call.__exit__()
    monkeypatch.setattr(CallingPython, "_give_back", give_back)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_all_signals_that_came_are_told() -> None:
    told: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: told.append(number)) for number in (signal.SIGTERM,)}
    try:
        with pytest.raises(KeyboardInterrupt), CallingPython(True, holds=True):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        assert told == [signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_manager_whose_block_an_interrupt_cut_records_again() -> None:
    manager = GradManager()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), manager:
            with pytest.MonkeyPatch.context() as patch:  # as if it came just before the end began
                patch.setattr(GradManager, "release", lambda self: None)
                raise KeyboardInterrupt
    with manager:
        with pytest.raises(RuntimeError, match="recording already"), manager:
            pass
    manager.record()
    with pytest.raises(RuntimeError, match="recording already"), manager:
        pass
    manager.release()
