"""Traced functions that live with Python state do what they do without trace, whether their body runs or is skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from megengine import Tensor, graph
from megengine.jit import trace

from .programs import PROGRAMS

MODES: dict[str, dict[str, bool]] = {"default": {}, "without_host": {"without_host": True}}


def plainly(function: Any) -> Any:
    return function


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_program_does_what_it_does_without_trace(name: str, mode: str) -> None:
    assert str(PROGRAMS[name](trace(**MODES[mode]))) == str(PROGRAMS[name](plainly))


REPLAYED = [
    "a_class_attribute",
    "a_flag_from_outside",
    "a_global_dict_of_a_called_function",
    "a_hook",
    "a_learning_rate",
    "a_module_added_to_a_list",
    "a_number_in_a_closure",
    "a_replaced_model",
    "a_replaced_module",
    "a_replaced_parameter",
    "a_running_sum_in_place",
    "a_training_flag",
    "an_array_changed_in_place",
    "an_attribute_of_an_object_argument",
    "gradients_that_accumulate",
    "random_numbers_of_the_package",
    "returns_a_dataclass",
    "returns_a_defaultdict",
    "returns_a_tensor_that_it_changed",
    "returns_an_argument_that_it_changed",
    "returns_an_object",
    "returns_its_own_object",
    "returns_what_it_got",
]


@pytest.mark.parametrize("name", REPLAYED)
def test_what_seldom_changes_is_skipped_between(name: str) -> None:
    before = graph.counters.replays
    PROGRAMS[name](trace(without_host=True))
    assert graph.counters.replays > before


@pytest.mark.parametrize("mode", MODES)
def test_in_processes_of_their_own(mode: str) -> None:
    """A sample of the programs without what this process has compiled and imported."""
    names = sorted(PROGRAMS)[:: 7 if mode == "default" else 3]
    code = (
        "from megengine.jit import trace\nfrom tests.jit.programs import PROGRAMS\n"
        f"for name in {names!r}:\n"
        f"    got, expected = PROGRAMS[name](trace(**{MODES[mode]!r})), PROGRAMS[name](lambda f: f)\n"
        "    assert str(got) == str(expected), (name, got, expected)\n"
        "print('all alike')\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, timeout=300
    )
    assert "all alike" in done.stdout, done.stderr


@pytest.mark.parametrize("namespace", [{}, {"__name__": "__main__"}, {"__name__": "no_module"}])
def test_code_that_is_in_no_file(namespace: dict[str, Any]) -> None:
    exec(
        "level, count = 1.0, 0\n"
        "def f(x):\n"
        "    global count\n"
        "    count += 1\n"
        "    return x * level + count\n"
        "def g(x):\n"
        "    return x * level\n",
        namespace,
    )
    f, g = (trace(namespace[name], without_host=True) for name in "fg")
    before = graph.counters.replays
    for k in range(9):
        namespace["level"] = 1.0 + k // 4
        assert f(Tensor([2.0])).item() == 2 * namespace["level"] + k + 1
        assert g(Tensor([2.0])).item() == 2 * namespace["level"]
    assert graph.counters.replays > before


def test_what_the_body_only_writes_does_not_keep_it_from_being_skipped() -> None:
    class Count:
        number = 0
        names: list[str] = []

    calls, table, count, shapes = 0, {"n": 0}, Count(), []

    @trace(without_host=True)
    def f(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        table["n"] += 1
        count.number = count.number + 1
        count.names.append("f")
        shapes.append(x.shape)
        return x + 1

    for k in range(8):
        assert f(Tensor([float(k)])).item() == k + 1
    assert (calls, table["n"], count.number, len(count.names), len(shapes)) == (2, 2, 2, 2, 2)


def test_a_body_that_cannot_be_skipped_says_why_once(caplog: pytest.LogCaptureFixture) -> None:
    import random

    from megengine.logger import get_logger

    said: list[str] = []
    logger = get_logger("megengine.jit.without_host")
    logger.addFilter(lambda record: said.append(record.getMessage()) or True)  # type: ignore[func-returns-value]
    try:
        f = trace(lambda x: x * random.random(), without_host=True)
        for _ in range(40):
            f(Tensor([1.0]))
    finally:
        logger.filters.clear()
    assert len(said) == 1 and "random" in said[0] and "<lambda>" in said[0]
