"""A step happens whole or not at all, whatever comes between: interrupts at any moment, failures, values that ops do not take."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import program as programs
from megengine.graph import run as run_module
from megengine.graph.record import thread
from megengine.optimizer import SGD, Adam

# An interrupt that comes while CPython runs a destructor is reported and dropped by CPython itself.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGALRM interrupts as Ctrl-C does, also where SIGINT is ignored."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Trainer:
    """A small network, in whose training every kind of state takes part."""

    def __init__(self, kind: Callable[..., object] = SGD, width: int = 8, **options: float) -> None:
        mge.random.seed(3)
        self.net = M.Sequential(M.Linear(4, width, bias=False), M.BatchNorm1d(width), M.ReLU(), M.Linear(width, 3))
        self.gm = GradManager().attach(self.net.parameters())
        self.opt = kind(self.net.parameters(), lr=0.1, **options)
        rng = np.random.default_rng(0)
        self.x = Tensor(rng.normal(size=(6, 4)).astype("float32"))
        self.label = rng.integers(0, 3, 6).astype("int32")

    def step(self, number: int = 0, label: object = None) -> Tensor:
        """A step; those of other numbers learn other labels, so that no two leave the same state."""
        self.opt.clear_grad()
        with self.gm:
            loss = F.nn.cross_entropy(self.net(self.x), (self.label + number) % 3 if label is None else label)
            self.gm.backward(loss)
            self.opt.step()
        return loss

    def trained(self) -> np.ndarray:
        """What only a step changes, in one array."""
        states = [t for p in self.net.parameters() for t in self.opt._state.get(p, {}).values()]
        return np.concatenate([t.numpy().ravel() for t in [*self.net.parameters(), *states]])

    def everything(self) -> np.ndarray:
        return np.concatenate([self.trained(), *(b.numpy().ravel() for b in self.net.buffers())])


class Known:
    """What a trainer of the same kind, left alone, has after each number of steps."""

    def __init__(self, **options: object) -> None:
        self.trainer = Trainer(**options)  # type: ignore[arg-type]
        self.states = [self.trainer.trained()]

    def reached(self, state: np.ndarray, *steps: int) -> int:
        """After which of these steps the trainer had this state, to rounding."""
        matching = [k for k in steps if np.allclose(self[k], state, rtol=1e-3, atol=1e-5)]
        assert len(matching) == 1, f"a state of step {matching}, not of one of {steps}"
        return matching[0]

    def __getitem__(self, step: int) -> np.ndarray:
        while len(self.states) <= step:
            self.trainer.step(len(self.states) - 1)
            self.states.append(self.trainer.trained())
        return self.states[step]


def _interrupted(body: Callable[[], object], seconds: float) -> bool:
    """Whether an interrupt after so long came before the end of ``body()``."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        body()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return True
    return False


@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"kind": Adam}], ids=["SGD", "Adam"])
def test_interrupts_at_random_moments_leave_all_tensors_before_or_after_a_step(
    options: dict[str, object], interruptible: None
) -> None:
    known, trainer, chance = Known(**options), Trainer(**options), random.Random(0)  # type: ignore[arg-type]
    lengths = []
    for done in range(6):  # the first ones compile
        started = time.perf_counter()
        trainer.step(done).item()
        lengths.append(time.perf_counter() - started)
    done, interrupts = 6, 0
    while interrupts < 60:
        interrupts += _interrupted(lambda k=done: trainer.step(k).item(), chance.uniform(1e-6, 1.5 * min(lengths)))
        done = known.reached(trainer.trained(), done, done + 1)


def test_interrupts_of_the_first_compilation(interruptible: None) -> None:
    chance, interrupts = random.Random(1), 0
    for width in range(9, 16):  # another width is another program
        known, trainer = Known(width=width, momentum=0.9), Trainer(width=width, momentum=0.9)
        before = trainer.trained()
        known[2]
        programs.clear()
        interrupts += _interrupted(lambda t=trainer: t.step().item(), chance.uniform(1e-3, 0.1))
        np.testing.assert_array_equal(before, known[0])
        done = known.reached(trainer.trained(), 0, 1)
        trainer.step(done)
        assert known.reached(trainer.trained(), done, done + 1) == done + 1
    assert interrupts > 0


@pytest.mark.parametrize("later", [False, True])
def test_a_program_that_fails_changes_nothing_and_runs_again(monkeypatch: pytest.MonkeyPatch, later: bool) -> None:
    known = Known(momentum=0.9)
    trainer = Trainer(momentum=0.9)
    trainer.step()
    before = trainer.everything()
    for _ in range(20):
        with _all_programs_fail() as failures, pytest.raises(MemoryError, match="injected"):
            trainer.step()
            if later:
                F.exp(trainer.x)  # the next op runs the step
            else:
                trainer.net[0].weight.numpy()
        assert len(failures) >= 1
        np.testing.assert_array_equal(trainer.everything(), before)
    trainer.step(1)
    known.reached(trainer.trained(), 2)


@contextmanager
def _all_programs_fail() -> Iterator[list[object]]:
    seen: list[object] = []

    def failing(program: programs.Program, run: programs.Run) -> programs.Run:
        def fail(*_: object) -> None:
            seen.append(program)
            raise MemoryError("injected")

        return fail

    programs.observe(failing)
    try:
        yield seen
    finally:
        programs.unobserve(failing)


def test_a_compilation_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(width=16)
    before = trainer.everything()
    with monkeypatch.context() as patch:
        patch.setattr("megengine.graph.run.build", lambda *_: (_ for _ in ()).throw(RuntimeError("no compiler")))
        with pytest.raises(RuntimeError, match="no compiler"):
            trainer.step().item()
    np.testing.assert_array_equal(trainer.everything(), before)
    trainer.step()
    assert not np.array_equal(trainer.everything(), before)


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("pending", [False, True])
def test_a_step_with_a_label_out_of_range_does_not_happen(kind: Callable[..., object], pending: bool) -> None:
    trainer = Trainer(kind)
    trainer.step()
    state = trainer.everything if pending else trainer.trained  # known labels are refused before there is a step
    before = state()
    bad = np.array([0, 1, 2, 3, 0, 1], np.int32)
    for _ in range(3):
        with pytest.raises(IndexError, match="label"):
            loss = trainer.step(label=Tensor(bad) + 0 if pending else bad)
            F.exp(trainer.x)
        np.testing.assert_array_equal(state(), before)
    if pending:
        with pytest.raises(IndexError, match="label"):
            loss.item()
    trainer.step()
    assert not np.array_equal(state(), before)


def test_what_does_not_depend_on_a_bad_index_is_computed() -> None:
    x, total = Tensor([1.0, 2.0]), Tensor([5.0])
    bad = x[Tensor([7]) + 0]
    fine = x * 2
    total += 1
    x[Tensor([9]) + 0] = 3.0
    follows = bad + 1
    with pytest.raises(IndexError, match="out of range"):
        bad.numpy()
    np.testing.assert_array_equal(fine.numpy(), [2, 4])
    np.testing.assert_array_equal(total.numpy(), [6])
    np.testing.assert_array_equal(x.numpy(), [1, 2])
    for value in (bad, follows):
        with pytest.raises(IndexError, match="out of range"):
            value.numpy()


def test_what_does_not_depend_on_what_fails_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    x, total = Tensor([1.0, 2.0]), Tensor([5.0])
    lower = graph.program.lower

    def without_sin(state: object, *rest: object) -> object:
        function, pullbacks = lower(state, *rest)

        def run(*args: object) -> object:
            if len(rest[0]) > 1:  # type: ignore[arg-type]
                raise RuntimeError("no such kernel")
            return function(*args)

        return run, pullbacks

    monkeypatch.setattr("megengine.graph.program.lower", without_sin)
    one, two = F.sin(x) + 11, F.exp(x) * 13
    total += 17
    with pytest.raises(RuntimeError, match="no such kernel"):
        one.numpy()
    np.testing.assert_array_equal(total.numpy(), [22])
    np.testing.assert_allclose(two.numpy(), np.exp([1.0, 2.0]) * 13, rtol=1e-6)
    np.testing.assert_allclose(one.numpy(), np.sin([1.0, 2.0]) + 11, rtol=1e-6)


def test_a_callback_that_fails_leaves_all_gradients_as_they_were() -> None:
    trainer = Trainer()
    params = list(trainer.net.parameters())
    trainer.step()
    before = [p.grad.numpy().tobytes() for p in params]

    def fail(param: Tensor, grad: Tensor) -> Tensor:
        raise ZeroDivisionError("callback")

    trainer.gm.attach(params[2], callbacks=fail)
    with pytest.raises(ZeroDivisionError), trainer.gm:
        trainer.gm.backward(F.nn.cross_entropy(trainer.net(trainer.x), trainer.label))
    assert [p.grad.numpy().tobytes() for p in params] == before
    assert not thread.graph.tapes


def test_an_optimizer_that_fails_halfway_has_changed_nothing() -> None:
    class Half(SGD):
        def _updates(self, group: dict[str, object]) -> None:
            super()._updates({**group, "params": group["params"][:2]})  # type: ignore[index]
            raise ZeroDivisionError("halfway")

    trainer = Trainer(Half, momentum=0.9)
    before = trainer.trained()
    with pytest.raises(ZeroDivisionError):
        trainer.step()
    np.testing.assert_array_equal(trainer.trained(), before)


def test_only_the_first_run_of_a_program_overwrites_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, copies, copied = Trainer(width=21, momentum=0.9), [], run_module._copied
    monkeypatch.setattr(run_module, "_copied", lambda array: copies.append(array) or copied(array))
    counts, donated = [], graph.counters.bytes_donated
    for _ in range(6):
        trainer.step().item()
        counts.append(len(copies))
    assert counts[0] > 0
    assert counts[3] == counts[5]
    assert graph.counters.bytes_donated > donated
