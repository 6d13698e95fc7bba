"""The benchmarks' runner: its tables, its file, and what it says about contenders and disturbances. Nothing is timed here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import machine, run
from benchmarks.contenders import Setup, Worker, alternate, environment
from benchmarks.results import Row, Section, alone, compared, figure, refresh

ORDER = ["First", "Second", "Third"]


def section(title: str, *rows: Row) -> Section:
    return Section(title, f"About {title}.", list(rows) or [Row("a", "1 s")], context=["Machine: 2 cores."])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4.0, "µs", "4 µs"),
        (0.4126, "µs", "0.413 µs"),
        (2898.4, "µs", "2898 µs"),
        (20.94, "s", "20.9 s"),
        (3.0, "", "3"),
    ],
)
def test_figures_have_three_digits(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    # The second round was disturbed for both alike: its ratio is as good as the others.
    row = compared("step", "PyTorch", [1.0, 9.0, 1.2], [2.0, 15.0, 2.0], "s", 0.6)
    assert (row.here, row.there, row.ratio, row.target, row.met) == ("1.2 s", "2 s", "0.600", "ratio ≤ 0.6", True)


def test_a_missed_target_is_said() -> None:
    assert compared("step", "PyTorch", [3.0], [2.0], "s", 1.0).met is False
    assert alone("op", 4.01, "µs", 4.0).met is False
    assert str(alone("op", 4.01, "µs", 4.0)).endswith("| ≤ 4 µs | **no** |")
    assert alone("op", 4.0, "µs", 4.0).met is True
    assert alone("op", 4.0, "µs").met is None


def test_rounds_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        compared("step", "PyTorch", [1.0, 2.0], [1.0], "s")


def test_a_new_file_has_introduction_targets_and_section() -> None:
    text = refresh("", section("Second", alone("op", 1.0, "µs", 4.0), Row("other", "7")), ORDER)
    assert text.startswith("# Benchmarks\n")
    targets, second = text.split("## ")[1:]
    assert targets.startswith("Targets\n") and "| Second: op |" in targets and "| other |" not in targets
    assert second.startswith("Second\n\nAbout Second.\n\n| what |") and second.endswith("- Machine: 2 cores.\n")


def test_a_section_replaces_only_itself_and_stands_in_order() -> None:
    text = ""
    for title in ("Third", "First", "Second"):
        text = refresh(text, section(title, Row(f"row of {title}", "1 s")), ORDER)
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Targets", *(f"## {t}" for t in ORDER)]
    again = refresh(text, section("Second", alone("new", 5.0, "s", 4.0)), ORDER)
    assert "row of Second" not in again and "row of First" in again and "row of Third" in again
    assert again.count("| new | 5 s |") == 1 and again.count("| Second: new | 5 s |") == 1, "in its section and among the targets"
    assert refresh(again, section("Second", alone("new", 5.0, "s", 4.0)), ORDER) == again
    assert refresh(again, section("Second", Row("row of Second", "1 s")), ORDER) == text


def test_the_command_names_no_place_of_this_machine(tmp_path: Path) -> None:
    setup = Setup(megengine=str(tmp_path / "python"), torch=sys.executable, program=tmp_path / "train.py")
    assert run.command("tutorial", setup) == (
        "Command: `python -m benchmarks.run tutorial --megengine PYTHON --program train.py`."
    )
    assert run.command("record", Setup()) == "Command: `python -m benchmarks.run record`."


def test_what_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert Setup().missing() == ["MegEngine", "PyTorch"]
    assert Setup(megengine="python3.10", torch="python3").missing() == []
    assert run.measure("tutorial", Setup()) is None
    assert "needs --program" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["steps"], "no benchmark steps; there are tutorial, step,"),
        (["--megengine", "no-such-python"], "no such interpreter"),
        (["--program", "no-such-file.py"], "no such file"),
    ],
)
def test_a_wrong_command_line_is_explained(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.parse(argv)
    assert message in capsys.readouterr().err


def test_every_benchmark_has_a_module() -> None:
    folder = Path(run.__file__).parent
    assert all((folder / f"{name}.py").is_file() for name in run.BENCHMARKS)


def test_a_disturbed_measurement_is_noted() -> None:
    quiet = machine.Quiet()
    quiet.others = machine.DISTURBED
    assert quiet.note() is None
    quiet.others = 1.3
    note = quiet.note()
    assert note is not None and "1.3 of" in note


def test_own_work_is_no_disturbance(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = iter([(10.0, 1.0, 0.0), (14.0, 4.0, 2.0)])
    monkeypatch.setattr(machine.Quiet, "_sample", staticmethod(lambda: next(samples)))
    with machine.Quiet() as quiet:
        pass
    assert quiet.others == 0.5, "of 4 busy seconds 3 were our own, in 2 seconds"


def test_contenders_take_turns_and_every_other_round_backwards() -> None:
    asked: list[str] = []

    class Fake:
        def __init__(self, name: str) -> None:
            self.name = name

        def ask(self, repetitions: int) -> float:
            asked.append(self.name)
            return float(repetitions + len(asked))

    times = alternate({"a": Fake("a"), "b": Fake("b")}, 2, 10)  # type: ignore[dict-item]
    assert asked == ["a", "b", "b", "a"] and times == {"a": [11.0, 14.0], "b": [12.0, 13.0]}


def test_real_megengine_does_not_find_this_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(run.__file__).parent.parent))
    assert "PYTHONPATH" not in environment(ours=False)


def test_a_worker_answers_and_a_failing_one_is_reported() -> None:
    with Worker(sys.executable, "drawing.py", "generator", "uniform") as worker:
        assert worker.check == ["float32", [10_000_000]]
        assert worker.ask(1) > 0
    with pytest.raises(RuntimeError, match="drawing.py.* ended with 1"):
        Worker(sys.executable, "drawing.py", "nobody")
