"""The examples show what they say."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from megengine.data.dataset import ArrayDataset
from tests.processes import Programs

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_xor(capsys: pytest.CaptureFixture[str]) -> None:
    load("xor").main()
    linear, hidden = capsys.readouterr().out.split("HiddenLayer: ")
    assert "loss 0.6931" in linear and "0 of 4 answered rightly and surely" in linear
    assert "4 of 4 answered rightly and surely" in hidden


def test_zero_init(capsys: pytest.CaptureFixture[str]) -> None:
    load("zero_init").main()
    lines = capsys.readouterr().out.splitlines()
    found = [
        (match[1], match[2], int(match[3]), match[4], float(match[5]))
        for line in lines
        if (match := re.match(r"(\w+) +init, (\w+) *: +(\d+) different .* \(weights (.*)\), accuracy (.*)", line))
    ]
    zero_sigmoid, zero_relu, *random = found
    assert zero_sigmoid[:4] == ("zero", "sigmoid", 1, "moved") and zero_sigmoid[4] < 0.7
    assert zero_relu[:4] == ("zero", "relu", 1, "still zero") and zero_relu[4] < 0.4
    assert [row[:4] for row in random] == [("random", name, 16, "moved") for name in ("sigmoid", "relu")]
    assert all(row[4] > 0.95 for row in random)


def test_fashion_mnist(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, small_data: dict) -> None:
    module = load("fashion_mnist")

    class SmallDataset(ArrayDataset):
        def __init__(self, root: str | None, train: bool) -> None:
            images, labels = small_data[train]
            self.arrays = (images.reshape(-1, 28, 28, 1), labels.astype("int32"))
            super().__init__(*self.arrays)

    monkeypatch.setattr(module, "FashionMNIST", SmallDataset)
    monkeypatch.setattr(sys, "argv", ["fashion_mnist.py", "--epochs", "3"])
    module.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and float(lines[-1].split()[-1]) > 0.9


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_examples_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 150


def test_data_parallel(programs: Programs, tmp_path: Path) -> None:
    """One process goes on with what two have learnt."""
    path = EXAMPLES / "data_parallel.py"
    program = f"import runpy; runpy.run_path({str(path)!r}, run_name='__main__')"
    start = "import sys; sys.argv[1:] = ['--epochs', '1', '--checkpoint', 'run.mge', '--processes', '{}']; "
    found = []
    for processes in (2, 1):
        text = start.format(processes) + f"import os; os.chdir({str(tmp_path)!r}); " + program
        out, error = programs.start(text).communicate(timeout=200)
        found.append(re.fullmatch(r"epoch (\d): loss \S+, test accuracy (\S+)\n", out))
        assert found[-1] is not None, error
    (first, before), (second, after) = (match.groups() for match in found if match is not None)
    assert (first, second) == ("0", "1") and 0.3 < float(before) <= float(after) + 0.02
