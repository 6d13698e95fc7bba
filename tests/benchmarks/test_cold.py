"""The programs of the benchmark of cold starts compute what MegEngine computes, and its table. Nothing is timed here."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks import cold
from benchmarks.contenders import PROGRAMS, Setup
from megengine.graph import tier

# What the first steps gave under MegEngine 1.13, small and with the weights that all contenders have.
FIRST = {
    "transformer": [7.42477, 7.60894],
    "resnet50": [7.49289, 7.09336],
    "convnext": [6.50268, 7.70646],
    "flow_forward": [0.50737, 0.51012],
    "flow": [0.91600, 0.92939],
    "detector": [99.55269],
    "vit": [0.80067, 0.79322],
    "text": [7.42296, 7.46174, 7.30556],
    "lstm": [0.70536],  # its gradients of an LSTM are wrong on the CPU
    "decoder": [341, 46, 212],
    "policy": [0.18613, -0.84147, 3.0033],
    "batches": [2.01243, 1.81674],
    "turns": [-0.31392, -0.31756],
    "chain": [68.61839, 68.93221],
    "diffusion": [0.74405],
}


@pytest.fixture(scope="module")
def programs() -> Iterator[ModuleType]:
    """The module that runs a program, which lies outside of any package."""
    before = set(sys.modules)
    sys.path.insert(0, str(PROGRAMS))
    yield importlib.import_module("cold_start")
    sys.path.remove(str(PROGRAMS))
    for name in set(sys.modules) - before:
        if str(PROGRAMS) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


@pytest.mark.parametrize("name", cold.PROGRAMS_OF_COLD)
def test_a_program_computes_what_megengine_computes(name: str, programs: ModuleType) -> None:
    module = importlib.import_module(f"cold.megengine.{programs.MODULES[name]}")
    with tier("host"):
        model, step = getattr(module, name)(True)
        importlib.import_module("cold.megengine.training").fill(model)
        values = [step(number) for number in range(len(FIRST[name]))]
    np.testing.assert_allclose(values, FIRST[name], rtol=1e-3)


def test_every_program_is_there_for_its_contenders(programs: ModuleType) -> None:
    assert list(programs.MODULES) == list(cold.PROGRAMS_OF_COLD) == list(FIRST)
    for name, program in cold.PROGRAMS_OF_COLD.items():
        for contender, there in (("megengine", True), ("torch", program.torch)):
            file = Path(PROGRAMS, "cold", contender, f"{programs.MODULES[name]}.py")
            assert (file.is_file() and f"def {name}(" in file.read_text(encoding="utf-8")) == there


def finding(built: float, *ends: float, cpu: float = 1.0, peak: float = 100.0) -> dict[str, Any]:
    return {"built": built, "ends": list(ends), "cpu": cpu, "peak": peak}


def test_the_first_step_counts_the_construction_and_has_a_target_for_each_contender() -> None:
    program = cold.Program("net", steps=2, marks=(2,), first=3)
    found = {
        "here": [finding(1.0, 3.0, 4.0)],
        "MegEngine": [finding(0.5, 2.0, 5.0)],
        "PyTorch": [finding(0.5, 1.5, 2.0)],
    }
    rows = {(row.what.partition(": ")[2], row.against): row for row in cold.rows_of(program, found, 2)}
    first = rows["build + first step", "MegEngine"]
    assert (first.here, first.there, first.ratio, first.met) == ("1.00 + 2.00 s", "0.50 + 1.50 s", "1.500", False)
    assert rows["build + first step", "PyTorch"].met is True, "twice, where three times are allowed"
    assert rows["2 steps", "MegEngine"].met is True and rows["2 steps", "PyTorch"].met is None


def test_steps_that_were_not_done_last_as_those_that_were() -> None:
    program = cold.Program("net", steps=100, marks=(2, 100), hundred=1, cpu=1.5)
    found = {"here": [finding(0.0, *(4.0 + k for k in range(100)), cpu=103.0)], "PyTorch": [finding(0.0, 1, 3, 9, 11, cpu=22)]}
    rows = {row.what.partition(": ")[2]: row for row in cold.rows_of(program, found, 100)}
    assert (rows["2 steps"].here, rows["2 steps"].there, rows["2 steps"].met) == ("5 s", "3 s", None)
    assert (rows["100 steps"].here, rows["100 steps"].there, rows["100 steps"].met) == ("103 s", "203 s (from 4)", True)
    assert (rows["CPU time, 100 steps"].there, rows["CPU time, 100 steps"].ratio) == ("406 s", "0.254")


def test_no_step_is_begun_after_the_limit(programs: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    programs.main("megengine", "turns", 5, "own", "0")
    assert len(json.loads(capsys.readouterr().out)["ends"]) == 2


def test_new_shapes_are_compared_with_the_same_shapes_again() -> None:
    program = cold.Program("shapes", steps=6, marks=(), period=3)
    rows = cold.rows_of(program, {"here": [finding(0.0, 1.0, 3.0, 5.0, 5.5, 6.0, 7.0)]}, 6)
    row = next(row for row in rows if row.against == "the same again")
    assert (row.here, row.there, row.met) == ("4 s", "1.5 s", False)


def test_a_program_alone_says_who_was_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "start", lambda *args: finding(0.1, *range(1, 11)) | {"values": [1.0] * 10})
    section = cold.measure(Setup(), ["chain"], rounds=1)
    assert section.notes[0] == "Not measured: MegEngine and PyTorch."
    assert [row.met for row in section.rows] == [None] * len(section.rows)


def test_contenders_that_compute_something_else_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "start", lambda who, *args: {"values": [1.0, 2.0, 3.0 if who == "here" else 3.1]})
    contenders = {"here": ["python", "megengine"], "PyTorch": ["python", "torch"]}
    with pytest.raises(AssertionError, match="chain: PyTorch"):
        cold.check("chain", contenders)


def test_a_process_that_fails_is_reported() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)ended with 3:.*no data"):
        cold.process([sys.executable, "-c", "import sys; print('no data'); sys.exit(3)"], ours=True)
