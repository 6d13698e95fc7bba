"""The page on scaling shows what its program works out, by formulas that are right where one can see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import scaling
from benchmarks.scaling import Cluster, Network, data_parallel, fully_sharded, reduced, scattered, tensor_parallel

PAGE = Path(__file__).resolve().parents[2] / "docs/scaling.md"
MACHINES = Cluster("", 4, 100.0, 10.0, reached=1.0, start=(0.0, 0.0))
NET = Network("", "example", parameters=1000.0, rate=2.0, batch=8, together=64, layers=2, width=5, length=3)


def test_the_page_has_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    scaling.main([])
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    lines = iter(PAGE.read_text(encoding="utf-8").splitlines())
    missing = [line for line in printed if line not in lines]  # in their order
    assert len(printed) > 30 and not missing, (
        "run `python -m benchmarks.scaling`, and put its tables into docs/scaling.md"
    )


def test_nothing_is_exchanged_by_one_device() -> None:
    for way in (data_parallel, fully_sharded, tensor_parallel):
        step = way(NET, 8, 1, MACHINES)
        assert (step.computing, step.communicating, step.hidden, step.held) == (4.0, 0.0, 0.0, 16000.0)
        assert step.efficiency == (1.0, 1.0)


def test_arrays_go_over_both_links() -> None:
    assert scattered(400.0, 4, MACHINES) == pytest.approx(3 / 4 * 400 / 100)
    assert scattered(400.0, 8, MACHINES) == pytest.approx(3 + 1 / 2 * 100 / 10)
    assert scattered(400.0, 8, replace(MACHINES, reached=0.5)) == pytest.approx(16.0)
    slow = replace(MACHINES, start=(1.0, 100.0))
    assert scattered(400.0, 16, slow) == pytest.approx(3 + 3 / 4 * 100 / 10 + 3 * 1 + 2 * 100)
    assert reduced(400.0, 8, MACHINES) == reduced(400.0, 8, MACHINES, messages=5) == pytest.approx(16.0)


def test_what_each_way_exchanges() -> None:
    """4,000 bytes of gradients, of parameters, and 2 x 8 x 4 x 3 x 5 = 960 of a layer's activations, among four devices."""
    part = 3 / 4 / 100
    data, sharded, tensor = (way(NET, 8, 4, MACHINES) for way in (data_parallel, fully_sharded, tensor_parallel))
    assert data.communicating == pytest.approx(2 * 4000 * part)
    assert sharded.communicating == pytest.approx(3 * 4000 * part)
    assert tensor.communicating == pytest.approx(4 * 2 * 2 * 960 * part)
    assert (data.held, sharded.held, tensor.held) == (16000.0, 4000.0, 4000.0)
    # One message cannot be hidden; of two layers the first parameters and the last gradients are waited for.
    assert (data.hidden, tensor.hidden) == (0.0, 0.0)
    assert sharded.hidden == pytest.approx(min(sharded.communicating - 4000 * part, 4.0))
    assert sharded.efficiency[0] < sharded.efficiency[1] < 1.0


def test_published_parameters_and_rates_of_the_gpt() -> None:
    net = scaling.gpt()
    assert net.parameters == pytest.approx(1_315_950_592, rel=1e-3)
    assert net.rate * net.length == pytest.approx(45455 * 0.42 / 0.4182, rel=2e-3)  # tokens a second of a device


def test_other_links(capsys: pytest.CaptureFixture[str]) -> None:
    scaling.main(["--devices", "8", "--inside", "1", "--reached", "1"])
    (line,) = (x for x in capsys.readouterr().out.splitlines() if "H100 | data" in x and "627.9 ms" in x)
    seconds = float(line.split("|")[5].removesuffix(" ms ")) / 1000
    assert seconds == pytest.approx(2 * 7 / 8 * 4 * scaling.gpt().parameters / 1e9, rel=0.01)
