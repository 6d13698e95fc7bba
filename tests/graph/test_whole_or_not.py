"""A step happens whole or not at all, whatever comes between: interrupts at any moment, failures, values that ops do not take."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.interpreters import pxla

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import BadIndexError, background, execute, infer, jax_state, replay, shared
from megengine.graph import program as program_module
from megengine.graph.calling import CallingPython
from megengine.graph.lower import Plan
from megengine.graph.options import options
from megengine.graph.recorder import thread
from megengine.optimizer import SGD, Adam
from tests.processes import Programs

from .interrupts import KINDS, Known, Trainer, alarms, interrupt_training, interrupted

# An interrupt that comes while CPython runs a destructor is reported and dropped by CPython itself.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def interruptible() -> Iterator[None]:
    with alarms():
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_interrupts_at_random_moments_leave_all_tensors_before_or_after_a_step(kind: str, interruptible: None) -> None:
    assert interrupt_training(40, 0, **KINDS[kind]) >= 6


def test_interrupts_of_the_first_compilation(interruptible: None) -> None:
    chance, interrupts = random.Random(1), 0
    for width in range(9, 16):  # another width is another program
        known, trainer = Known(width=width, momentum=0.9), Trainer(width=width, momentum=0.9)
        before = trainer.trained()
        known[2]
        program_module.clear()
        interrupts += interrupted(lambda t=trainer: t.step().item(), chance.uniform(1e-3, 0.1))
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

    def failing(program: program_module.Program, run: program_module.Run) -> program_module.Run:
        def fail(*_: object) -> None:
            seen.append(program)
            raise MemoryError("injected")

        return fail

    program_module.observe(failing)
    try:
        yield seen
    finally:
        program_module.unobserve(failing)


def test_a_compilation_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(width=16)
    before = trainer.everything()
    with monkeypatch.context() as patch:
        patch.setattr("megengine.graph.execute.make", lambda *_: (_ for _ in ()).throw(RuntimeError("no compiler")))
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
    function = Plan.callable

    def failing(plan: Plan, *rest: object) -> object:
        whole = function(plan, *rest)  # type: ignore[arg-type]

        def run(*args: object) -> object:
            if len(plan.results) > 1:
                raise RuntimeError("no such kernel")
            return whole(*args)

        return run

    monkeypatch.setattr(Plan, "callable", failing)
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
    assert not thread.recorder.tapes


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
    trainer, copies, copied = Trainer(width=21, momentum=0.9), [], execute._copied
    monkeypatch.setattr(execute, "_copied", lambda array, device: copies.append(array) or copied(array, device))
    counts, donated = [], graph.counters.bytes_donated
    for _ in range(6):
        trainer.step().item()
        counts.append(len(copies))
    assert counts[0] > 0
    assert counts[3] == counts[5]
    assert graph.counters.bytes_donated > donated


def test_what_was_compiled_before_overwrites_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has been compiled and its memory asked for, and signals wait."""
    with graph.tier("auto"):
        trainer, copies, held = Trainer(width=22, momentum=0.9), [], []
        monkeypatch.setattr(execute, "_copied", lambda array, device: copies.append(array))
        for k in range(3):
            trainer.step(k).item()
        for made in program_module.loaded():
            background.submit(made)
        assert background.wait(120)
        before = graph.counters.take_overs
        monkeypatch.setattr(CallingPython, "_hold", lambda self: held.append(self))
        trainer.step(3).item()
    assert graph.counters.take_overs > before and held and not copies
    other = Trainer(width=22, momentum=0.9)
    for k in range(4):
        other.step(k).item()
    np.testing.assert_allclose(trainer.trained(), other.trained(), 1e-4, 1e-5)


def test_a_step_that_finds_no_memory_changes_nothing(programs: Programs) -> None:
    process = programs.start(
        """
        import resource
        import numpy as np
        import megengine as mge
        import megengine.functional as F
        from megengine.autodiff import GradManager
        from megengine.optimizer import SGD

        weight = mge.Parameter(np.ones((2000, 500), np.float32))
        gm, opt = GradManager().attach([weight]), SGD([weight], lr=0.1, momentum=0.9)

        def step(rows):
            with gm:
                loss = (F.exp(F.matmul(F.full((rows, 2000), 0.001) * weight.mean(), weight)) ** 2).mean()
                gm.backward(loss)
                opt.step().clear_grad()
            return loss.item()

        step(10), step(10)
        before = weight.numpy(), opt.state_dict()["state"][0]["momentum_buffer"]
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), resource.RLIM_INFINITY))
        for rows in (400_000, 500_000, 400_000):
            try:
                step(rows)
            except Exception as error:
                print("memory" in str(error), end=" ")
            after = weight.numpy(), opt.state_dict()["state"][0]["momentum_buffer"]
            print(all(np.array_equal(a, b) for a, b in zip(before, after)))
        step(10)
        print(not np.array_equal(weight.numpy(), before[0]))
        """
    )
    out, errors = process.communicate()
    assert out.split() == ["True"] * 7, errors


def test_a_later_run_that_finds_no_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(momentum=0.9)
    for k in range(4):
        trainer.step(k).item()
    before = trainer.everything()
    with monkeypatch.context() as patch:
        patch.setattr(execute, "WORTH_A_LOOK", 0)
        patch.setattr("megengine.graph.memory.mmap.mmap", _no_memory)
        with pytest.raises(MemoryError, match="bytes more than there are"):
            trainer.step(4).item()
        np.testing.assert_array_equal(trainer.everything(), before)
    trainer.step(4).item()
    assert not np.array_equal(trainer.everything(), before)


def _no_memory(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize("computed", [False, True], ids=["from the host", "computed"])
@pytest.mark.parametrize("cut", ["flushed", "another thread", "too long"])
def test_a_step_in_parts_whose_first_is_wrong_changes_nothing(
    cut: str, computed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = M.Linear(4, 3)
    gm, optimizer = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.1, momentum=0.9)
    x = Tensor(np.ones((2, 4), np.float32))
    if cut == "too long":
        monkeypatch.setattr(options, "pending_limit", 5)
        thread.recorder.reset_limit()

    def everything() -> list[Any]:
        state = [v for of_one in optimizer.state_dict()["state"].values() for v in of_one.values()]
        return [np.array(t.numpy()) for t in (*net.parameters(), *(Tensor(v) for v in state))]

    over = threading.Event()
    threading.Thread(target=over.wait, daemon=True).start()
    try:
        for label in (1, 9, 2, 9, 0):
            before = everything()
            if cut == "another thread":
                monkeypatch.setattr(shared._Contention, "left", shared.ROUNDS)
            labels = Tensor(np.int32([0, label])) + (0 if computed else np.int32(0))
            with nullcontext() if label < 3 else pytest.raises(BadIndexError):
                with gm:
                    gm.backward(F.nn.cross_entropy(net(x), labels))
                if cut == "flushed":
                    graph.flush("option")
                optimizer.step().clear_grad()
            same = [np.array_equal(a, b) for a, b in zip(before, everything(), strict=True)]
            assert len(same) == 4 and (all(same) if label > 2 else not all(same))
    finally:
        over.set()
        monkeypatch.undo()
        thread.recorder.reset_limit()


def _of_jax() -> None:
    """As when it comes while JAX compares keys of its caches."""
    raise ValueError("Cache keys should be comparable using __eq__. The following error was raised: ... KeyboardInterrupt: ")


def _of_a_lock() -> None:
    """As when it comes while a thread waits to have its lock back."""
    with threading.Lock() as lock:
        assert lock
        try:
            raise KeyboardInterrupt
        finally:
            threading.Lock().release()


def _raising_once(function: Any, fail: Callable[[], None]) -> Any:
    left = [fail]

    def run(*args: Any, **kwargs: Any) -> Any:
        if left:
            left.pop()()
        return function(*args, **kwargs)

    return run


OTHER_ERRORS = pytest.mark.parametrize("fail", [_of_jax, _of_a_lock])


@OTHER_ERRORS
@pytest.mark.parametrize("settings", [{}, {"traced": {"without_host": True}}])
def test_an_interrupt_of_which_another_error_is_made_is_one(
    fail: Callable[[], None], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, trainer = Known(**settings), Trainer(**settings)
    for k in range(3):
        trainer.step(k).item()
    with monkeypatch.context() as patch:
        patch.setattr(execute, "protect", _raising_once(execute.protect, fail))
        patch.setattr(replay, "protect", execute.protect)
        with pytest.raises(KeyboardInterrupt):
            trainer.step(3).item()
    assert known.reached(trainer.trained(), 3, 4) in (3, 4)


@pytest.mark.parametrize("settings", [{}, {"traced": {}}, {"traced": {"without_host": True}}])
def test_an_interrupt_that_leaves_jax_without_a_trace_is_mended(settings: Any, compiled: None) -> None:
    """It may come between the instructions by which JAX sets its trace aside for an operation."""
    known, trainer = Known(**settings), Trainer(**settings)
    for k in range(4):
        trainer.step(k).item()
    jax_state._current.set_trace(None)
    trainer.step(4).item()
    assert known.reached(trainer.trained(), 5) == 5
    assert jnp.array(jnp.ones(2)).sum() == 2.0
    jax_state._current.set_trace(None)
    assert F.exp(Tensor(np.zeros((3, 41), np.float32))).numpy().sum() == 123


def test_errors_while_an_interrupt_is_handled_are_errors() -> None:
    """As where a program saves what it has after Ctrl-C."""

    @contextmanager
    def saving() -> Iterator[None]:
        try:
            yield
        finally:
            with pytest.raises(IndexError):
                F.exp(Tensor([1.0, 2.0])[Tensor([7]) + 0]).numpy()

    for stop in (KeyboardInterrupt, SystemExit):
        with pytest.raises(stop), saving():
            try:
                raise stop
            finally:
                with pytest.raises(RuntimeError, match="matmul"):
                    F.matmul(Tensor(np.ones((2, 3))), Tensor(np.ones((2, 3))))


@OTHER_ERRORS
def test_so_is_one_amid_the_tracing_of_an_operator(fail: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    x = Tensor(np.ones((2, 17 + (fail is _of_jax)), np.float32))  # of a shape not met before
    gm = GradManager().attach(x)
    for name in ("forward", "linearise"):
        monkeypatch.setattr(infer, name, _raising_once(getattr(infer, name), fail))
    with pytest.raises(KeyboardInterrupt):
        F.sinh(x)
    with gm:
        with pytest.raises(KeyboardInterrupt):
            F.cosh(x)
        y = F.cosh(x)
        gm.backward(y.sum())
    np.testing.assert_allclose(x.grad.numpy(), np.sinh(x.numpy()), rtol=1e-5)


def test_an_interrupt_amid_what_jax_does_in_python_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, interruptible: None
) -> None:
    """It does where arguments are bound to a device that were not before, as the results of what was compiled elsewhere are."""
    known, trainer = Known(width=23, momentum=0.9), Trainer(width=23, momentum=0.9)
    called = pxla.ExecuteReplicated.__call__
    sent: list[bool] = []

    def call(self: Any, *args: Any) -> Any:
        results = called(self, *args)
        sent.append(True)
        signal.raise_signal(signal.SIGALRM)
        return results

    with graph.tier("auto"):
        for k in range(3):
            trainer.step(k).item()
        for made in program_module.loaded():
            background.submit(made)
        assert background.wait(120)
        monkeypatch.setattr(pxla.ExecuteReplicated, "__call__", call)
        done = 3
        for k in range(6):
            if k == 3:
                trainer.net[0].weight[...] = trainer.net[0].weight.numpy()
            with suppress(KeyboardInterrupt):
                trainer.step(done).item()
            done = known.reached(trainer.trained(), done, done + 1)
    assert len(sent) > 1 and done > 3
