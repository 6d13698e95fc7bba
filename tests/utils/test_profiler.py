"""The profiler: which programs ran when, as Chrome's trace format has it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.module as M
from megengine import Tensor, graph, jit
from megengine.graph import program as programs
from megengine.utils import profiler
from megengine.utils.profiler import Profiler, is_profiling, merge_trace_events, profile, scope


@pytest.fixture(autouse=True)
def _compiled() -> Iterator[None]:
    with graph.tier("compiled"):
        yield


def events(directory: Path, kind: str | None = None) -> list[dict[str, Any]]:
    name = f"{os.getpid()}.chrome_timeline.json"
    found: list[dict[str, Any]] = json.loads((directory / name).read_text())["traceEvents"]
    return found if kind is None else [e for e in found if e.get("cat") == kind]


@pytest.mark.usefixtures("compiled")
def test_programs_with_their_ops_lines_and_times(tmp_path: Path) -> None:
    x = Tensor(np.ones((7, 3), "float32"))
    with Profiler(str(tmp_path)):
        assert is_profiling()
        for _ in range(2):
            ((x + 1) * x).numpy()
    assert not is_profiling()
    first, second = events(tmp_path, "program")
    assert first["args"]["ops"] == {"add": 1, "mul": 1}
    assert [e["args"]["compiled now"] for e in (first, second)] == [True, False]
    assert (first["name"], second["name"]) == ("compile, 2 ops", "2 ops")
    assert re.search(r"test_profiler\.py:\d+$", first["args"]["where"])
    assert 0 <= first["ts"] < first["ts"] + first["dur"] <= second["ts"]
    assert first["dur"] > second["dur"]
    kernels = events(tmp_path, "kernel")
    assert kernels and all("hlo_op" in e["args"] for e in kernels)
    assert events(tmp_path)[0]["name"] == "Metadata"


def test_nothing_is_observed_afterwards(tmp_path: Path) -> None:
    x = Tensor([1.0, 2.0, 5.0])
    (x * 7).numpy()
    before = {p: p.run for p in programs.loaded()}
    with Profiler(str(tmp_path), profile_device=0):
        (x * 7).numpy()
    assert events(tmp_path, "kernel") == [] and len(events(tmp_path, "program")) == 1
    assert all(p.run == run for p, run in before.items())


def test_replays_of_traced_functions_and_gradients(tmp_path: Path) -> None:
    layer = M.Linear(3, 2)
    x = Tensor(np.ones((4, 3), "float32"))

    @jit.trace(without_host=True)
    def step(x: Tensor) -> Tensor:
        with mge.autodiff.GradManager().attach(layer.parameters()) as manager:
            loss = (layer(x) ** 2).sum()
            manager.backward(loss)
        return loss

    for _ in range(3):
        step(x).numpy()
    with Profiler(str(tmp_path), profile_device=0):
        step(x).numpy()
    (ran,) = events(tmp_path, "program")
    assert ran["args"]["ops"]["linear.grad"] == 1
    assert not ran["args"]["compiled now"]


def test_scopes_modules_steps_and_backtraces(tmp_path: Path) -> None:
    net = M.Sequential(M.Linear(3, 2), M.ReLU())
    with Profiler(str(tmp_path), with_scopes=True, with_backtrace=True, profile_device=0) as prof:
        with scope("outer"):
            y = net(Tensor(np.ones((4, 3), "float32")))
        prof.step()
        y.numpy()
    found = [(e["name"], e["ph"]) for e in events(tmp_path) if e["ph"] in "BEi"]
    assert found[0] == ("outer", "B") and found[-2:] == [("outer", "E"), ("step", "i")]
    names = [n for n, phase in found if phase == "B"]
    assert names == ["outer", "Sequential", "0", "1"]
    assert sorted(n for n, phase in found if phase == "E") == sorted(names)
    (ran,) = events(tmp_path, "program")
    assert any("test_scopes_modules_steps" in line for line in ran["args"]["where"])
    with scope("outside"):
        assert not graph.scopes.enabled


def test_op_by_op(tmp_path: Path) -> None:
    with Profiler(str(tmp_path), profile_device=0), graph.eager():
        ((Tensor([1.0, 2.0]) + 1) * 3).numpy()
    assert [next(iter(e["args"]["ops"])) for e in events(tmp_path, "program")] == ["add", "mul"]


def test_as_a_decorator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    @profile
    def double(x: Tensor) -> float:
        return (x * 2).item()

    assert double(Tensor(4.0)) == 8
    assert len(events(tmp_path / "profile", "program")) == 1
    assert isinstance(profile("elsewhere"), Profiler)


def test_misuse(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not 'memory_flow\.svg'"):
        Profiler(format="memory_flow.svg")
    with pytest.raises(ValueError, match="no option profile_devices"):
        Profiler(profile_devices=1)
    with pytest.raises(RuntimeError, match="not running"):
        Profiler().stop()
    with pytest.raises(RuntimeError, match="not running"):
        Profiler().step()
    with Profiler(str(tmp_path)), pytest.raises(RuntimeError, match="running already"):
        Profiler().start()
    assert not is_profiling()


def test_an_error_inside_ends_the_profile(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Profiler(str(tmp_path)):
        (Tensor([1.0]) + 2).numpy()
        raise ZeroDivisionError
    assert not is_profiling() and len(events(tmp_path, "program")) == 1


def test_files_of_several_processes_are_merged(tmp_path: Path) -> None:
    for number, start in ((1, 5000.0), (2, 2000.0)):
        meta = {"name": "Metadata", "ph": "M", "args": {"localTime": start}}
        content = {"traceEvents": [meta, {"name": "a", "ph": "X", "ts": 10.0, "dur": 1, "pid": number}]}
        (tmp_path / f"{number}.{Profiler.CHROME_TIMELINE}").write_text(json.dumps(content))
    merge_trace_events(str(tmp_path))
    merged = json.loads((tmp_path / "merge.chrome_timeline.json").read_text())["traceEvents"]
    assert {e["pid"]: e["ts"] for e in merged} == {1: 3010.0, 2: 10.0}
    with pytest.raises(FileNotFoundError, match="there is no"):
        (tmp_path / "empty").mkdir()
        merge_trace_events(str(tmp_path / "empty"))
    assert profiler._running is None
