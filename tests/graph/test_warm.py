"""Steps that were compiled are found again by later processes, by what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import background, program, warm
from megengine.graph.runtime import KEPT_STEP, prune
from tests.processes import Programs

TRAINS = """
    import json
    import numpy as np
    import megengine as mge
    import megengine.functional as F
    from megengine.autodiff import GradManager
    from megengine.graph import background, counters, program
    from megengine.optimizer import SGD

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
    print(json.dumps([losses, counters.interpreted, counters.take_overs]))
"""


def test_a_step_that_was_compiled_is_in_the_next_process_from_the_start(programs: Programs, tmp_path: Path) -> None:
    def run(**environment: str) -> tuple[list[float], int, int]:
        process = programs.start(TRAINS, MEGENGINE_CACHE_DIR=str(tmp_path), **environment)
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        losses, interpreted, take_overs = json.loads(out)
        return losses, interpreted, take_overs

    losses, interpreted, take_overs = run()
    assert interpreted > 0 and take_overs > 0
    again, interpreted, _ = run()
    assert interpreted == 0
    np.testing.assert_allclose(again, losses, rtol=1e-6)
    assert run(XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")[1] > 0  # it means another program
    for kept in tmp_path.rglob("*" + KEPT_STEP):
        kept.write_bytes(b"half")
    again, interpreted, _ = run()
    assert interpreted > 0
    np.testing.assert_allclose(again, losses, rtol=1e-6)


def _program(call: object, shape: tuple[int, ...] = (3, 2)) -> program.Program:
    x = Tensor(np.ones(shape, np.float32))
    call(x).numpy()  # type: ignore[operator]
    return program.loaded()[-1]


def test_a_digest_tells_programs_apart_and_nothing_else() -> None:
    calls = {
        "product": lambda x: x * x,
        "sum": lambda x: x + x,
        "number": lambda x: x * 2,
        "axis": lambda x: x.sum(axis=0),
        "other axis": lambda x: x.sum(axis=1),
        "operands": lambda x: (x * 2) - x,
        "order": lambda x: x - (x * 2),
        "index": lambda x: x[1:],
        "other index": lambda x: x[:1],
    }
    found = {name: warm.digest(_program(call)) for name, call in calls.items()}
    assert None not in found.values() and len(set(found.values())) == len(found)
    program.clear()
    assert {name: warm.digest(_program(call)) for name, call in calls.items()} == found
    assert warm.digest(_program(calls["sum"], (3, 4))) != found["sum"]
    assert warm.digest(_program(lambda x: x * 3)) == found["number"]  # numbers are arguments


def test_the_precision_of_products_is_part_of_a_digest() -> None:
    found = _program(lambda x: F.matmul(x, x.T))
    before = warm.digest(found)
    with jax.default_matmul_precision("bfloat16"):
        assert warm.digest(found) != before


def test_operators_that_are_declared_alike_have_digests_of_their_own() -> None:
    """Those that a lambda declares, for one: a program of sines would run as one of cosines compiled before."""
    names = "exp", "log", "sin", "cos", "tanh", "sigmoid", "silu", "gelu", "asinh"

    def digest(name: str) -> str | None:
        with graph.tier("host"):
            x = Tensor(np.full((2, 3), 0.5, np.float32))
            getattr(F, name)(x).numpy()
            return warm.digest(program.loaded()[-1])

    found = [digest(name) for name in names]
    assert None not in found and len(set(found)) == len(names)


def test_gradients_that_outlive_their_program_have_digests_too() -> None:
    w = Parameter(np.ones((2, 3), np.float32))
    manager = GradManager().attach(w)
    with manager:
        loss = F.exp(w).sum()
        loss.numpy()
        manager.backward(loss)
        w.grad.numpy()
    assert warm.digest(program.loaded()[-1]) is not None
    assert warm.digest(program.loaded()[-2]) is not None


def test_kept_steps_go_before_what_they_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("megengine.graph.runtime.cache_directory", lambda: tmp_path)
    for name in ("old-cache", "a" + KEPT_STEP, "new-cache"):
        (tmp_path / name).write_bytes(bytes(100))
    prune(200)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new-cache", "old-cache"]


def test_a_disk_without_room_costs_the_next_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("megengine.graph.warm.os.replace", full)
    x = Tensor(np.ones((2, 19), np.float32))
    with graph.tier("auto"):
        assert (x * 5).sum().item() == 190.0
        background.submit(program.loaded()[-1])
        assert background.wait(60)
        before = graph.counters.interpreted
        assert (x * 5).sum().item() == 190.0
        assert graph.counters.interpreted == before
    assert not list(warm.cache_directory().glob("*.new"))
