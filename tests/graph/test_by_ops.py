"""The first tier of GPUs and TPUs, on the CPU: each op an executable of its own until the compiled step takes over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import background, executables, program, tiers
from megengine.graph.caches import Cache
from megengine.optimizer import SGD
from tests.processes import Programs

from .interrupts import Trainer, alarms, interrupt_training
from .test_random_programs import Life, agree, numbers
from .training import check_every_take_over


@pytest.fixture(autouse=True)
def _by_ops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(graph.options, "first_tier", "ops")
    monkeypatch.setattr(tiers, "_of_physical", {})
    program.clear()
    before = graph.counters.interpreted
    with graph.tier("auto"):
        yield
    background.wait(60)
    program.clear()
    assert graph.counters.interpreted == before


@pytest.mark.parametrize("trace", [False, True], ids=["imperative", "traced"])
def test_the_numbers_do_not_depend_on_when_a_compiled_program_takes_over(trace: bool) -> None:
    before = graph.counters.by_ops
    check_every_take_over(trace)
    assert graph.counters.by_ops > before


def test_a_random_program_is_what_is_compiled() -> None:
    def life(tier: str) -> list[object]:
        with graph.tier(tier):
            return numbers(Life(201).run())

    agree(life("host"), life("compiled"))


def test_ops_are_compiled_once_for_all_programs() -> None:
    x = Tensor(np.ones((3, 41), np.float32))
    (F.exp(x) * 2).numpy()
    before = graph.counters.snapshot()
    (F.exp(F.exp(x)) * 2 * 2).numpy()  # another program of the same ops
    after = graph.counters.snapshot()
    assert after["by_ops"] > before["by_ops"]
    assert after["ops_compiled"] == before["ops_compiled"]
    assert after["compilations"] == before["compilations"]


def test_shapes_that_change_throw_away_nothing_that_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executables, "_executables", Cache(4))
    steady, before = Tensor(np.ones((2, 43), np.float32)), 0
    for size in range(2, 8):
        F.exp(steady).numpy()
        (Tensor(np.ones(size, np.float32)) * 2).numpy()
        if size == 2:
            before = graph.counters.ops_compiled
    assert graph.counters.ops_compiled - before == 5  # one for each size after the first
    assert len(executables._executables) == 4
    value = (Tensor(np.ones(2, np.float32)) * 2).numpy()  # its program is there, its executable had to go
    np.testing.assert_array_equal(value, [2, 2])
    assert graph.counters.ops_compiled - before == 6


def test_a_program_earns_compiling_by_what_it_takes_without_compilations(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Tensor(np.ones((7, 47), np.float32))
    F.sinh(x).numpy()
    mine = program.loaded()[-1]
    assert mine.runs == 1 and mine.first_tier_seconds < graph.counters.compile_seconds
    monkeypatch.setattr(tiers, "expected_seconds", lambda _: 0.0)
    monkeypatch.setattr(tiers, "SHORT_RUN", 0.0)
    monkeypatch.setattr(background, "_start", lambda: pytest.fail("a child was asked to compile"))
    before = graph.counters.take_overs
    for _ in range(3):
        np.testing.assert_allclose(F.sinh(x).numpy(), np.full((7, 47), np.sinh(1)), rtol=1e-6)
        assert background.wait(120)
    assert graph.counters.take_overs == before + 1 and mine.failure is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of one within a callback of the collector
def test_interrupts_leave_all_tensors_before_or_after_a_step() -> None:
    with alarms(), graph.tier("host"):
        assert interrupt_training(25, 0, momentum=0.9) >= 6


def test_an_op_that_fails_is_a_step_that_has_not_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(momentum=0.9)
    trainer.step()
    before = trainer.everything()
    monkeypatch.setattr(program.Program, "_run_by_ops", _no_room)
    with pytest.raises(MemoryError, match="injected"):
        trainer.step()
        trainer.net[0].weight.numpy()
    monkeypatch.undo()
    with graph.tier("compiled"):
        np.testing.assert_array_equal(trainer.everything(), before)


def _no_room(*_: object) -> None:
    raise MemoryError("injected")


def test_what_the_ops_fail_at_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("an op that has no executable")

    monkeypatch.setattr(executables, "_compiled", fail)
    weight = Parameter(np.ones((3, 53), np.float32))
    manager, optimizer = GradManager().attach([weight]), SGD([weight], lr=0.5)
    before = graph.counters.refused
    for wanted in (159.0, 0.0):
        with manager:
            loss = (weight * weight).sum()
            manager.backward(loss)
        optimizer.step().clear_grad()
        assert loss.item() == wanted
    assert graph.counters.refused > before
    graph.counters.refused = before  # as meant here


def test_nan_and_bad_indices_are_found() -> None:
    with graph.check_nan(), pytest.raises(FloatingPointError, match="sqrt"):
        F.sqrt(Tensor([-1.0, 1.0])).numpy()
    index = Tensor([0, 1, 7]) * 1
    with pytest.raises(graph.BadIndexError):
        F.nn.embedding(index, Parameter(np.ones((3, 2), np.float32))).numpy()
        graph.verify(wait=True)


def test_results_are_not_the_arrays_that_were_given() -> None:
    data = np.arange(6, dtype=np.float32)
    x = Tensor(data)
    y = x.reshape(2, 3).reshape(6)
    y += 0
    y.numpy()
    data[:] = -1
    np.testing.assert_array_equal(y.numpy(), np.arange(6))


def test_a_compiler_that_takes_no_options_compiles_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(executables._CHEAPEST, "cpu", {"xla_of_another_platform": "0"})
    executables.cheapest.cache_clear()
    try:
        assert executables.cheapest("cpu") is None
        np.testing.assert_array_equal((Tensor(np.ones(59, np.float32)) * 2).numpy(), np.full(59, 2))
    finally:
        executables.cheapest.cache_clear()
    monkeypatch.undo()
    assert executables.cheapest("cpu") == executables._CHEAPEST["cpu"]


TRAINS = """
    import json
    import jax
    import numpy as np
    import megengine as mge
    import megengine.functional as F
    from megengine.autodiff import GradManager
    from megengine.graph import background, counters, program
    from megengine.optimizer import SGD

    mge.set_default_device("cpu1")
    weight = mge.Parameter(np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3))
    gm, opt = GradManager().attach([weight]), SGD([weight], lr=0.1, momentum=0.9)
    x = mge.Tensor(np.eye(4, dtype=np.float32))
    losses = []
    for step in range(4):
        with gm:
            loss = F.exp(F.matmul(x, weight)).mean()
            gm.backward(loss)
        opt.step().clear_grad()
        losses.append(loss.item())
        if step == 1:
            for each in program.loaded():
                background.submit(each)
            background.wait()
    other = mge.Tensor(np.eye(4, dtype=np.float32), device="cpu0")
    assert F.exp(other)._value.device.physical == "cpu0:0" and (other + 1).numpy().sum() == 20
    where = {f"{d.platform}:{d.id}" for d in weight._value.array.devices()}
    failures = [str(each.failure) for each in program.loaded() if each.failure]
    print(json.dumps([losses, counters.by_ops, counters.take_overs, failures, sorted(where), jax.device_count()]))
"""


def test_a_device_beside_the_default_one_and_the_next_process(programs: Programs, tmp_path: Path) -> None:
    def run() -> list[object]:
        process = programs.start(
            TRAINS,
            MEGENGINE_CACHE_DIR=str(tmp_path),
            MEGENGINE_FIRST_TIER="ops",
            MEGENGINE_TIER="auto",
            XLA_FLAGS="--xla_force_host_platform_device_count=2",
        )
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        found: list[object] = json.loads(out)
        return found

    losses, by_ops, take_overs, failures, where, count = run()
    assert by_ops > 0 and take_overs > 0 and not failures  # type: ignore[operator]
    assert where == ["cpu:1"] and count == 2
    again, ops_again, *_ = run()  # starts compiled
    assert ops_again < by_ops  # type: ignore[operator]
    np.testing.assert_allclose(again, losses, rtol=1e-6)  # type: ignore[arg-type]
