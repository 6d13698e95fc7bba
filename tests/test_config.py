"""megengine.config, megengine.dtr and the options of megengine.core: values, their checks, and what they change."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Tensor, config, dtr, graph
from megengine.autodiff import GradManager
from megengine.core import get_option, set_option
from megengine.functional.debug_param import Strategy, get_execution_strategy, set_execution_strategy
from megengine.functional.inplace import _inplace_add_
from megengine.graph import counters, options
from megengine.ops.onednn.library import library
from megengine.ops.timed import CHOICES
from megengine.optimizer import SGD

FLAGS = [
    "benchmark_kernel",
    "deterministic_kernel",
    "benchmark_with_subprocess",
    "disable_memory_forwarding",
    "_auto_format_convert",
]


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XLA_FLAGS", "")
    before = {name: getattr(config, name) for name in (*FLAGS, "async_level", "_compute_mode")}
    sizes = {
        name: getattr(dtr, name) for name in ("eviction_threshold", "evictee_minimum_size", "enable_sqrt_sampling")
    }
    yield
    for name, value in before.items():
        setattr(config, name, value)
    for name, value in sizes.items():
        setattr(dtr, name, value)


def train(steps: int = 3) -> list[np.ndarray]:
    mge.random.seed(2)
    model = M.Sequential(M.Linear(4, 8), M.ReLU(), M.Linear(8, 1))
    gm = GradManager().attach(model.parameters())
    optimizer = SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        with gm:
            gm.backward((model(F.ones((2, 4))) ** 2).mean())
        optimizer.step().clear_grad()
    return [p.numpy() for p in model.parameters()]


# config


def test_values_at_first() -> None:
    assert {name: getattr(config, name) for name in FLAGS} == {name: name == "_auto_format_convert" for name in FLAGS}
    assert (config.async_level, config._compute_mode) == (2, "default")


@pytest.mark.parametrize("name", FLAGS)
def test_flags(name: str) -> None:
    for value in (True, False, 1, 0):
        setattr(config, name, value)
        assert getattr(config, name) is bool(value)
    for wrong in ("yes", None, 2):
        with pytest.raises(TypeError, match=f"config.{name} takes True or False, not "):
            setattr(config, name, wrong)


def test_level_0_runs_op_by_op_with_the_same_results() -> None:
    expected = train()
    x = mge.Tensor([1.0, 2.0])
    x.numpy()
    config.async_level = 0
    assert options.eager
    before = counters.flushes.total()
    y = x + 1
    z = y * 2
    assert counters.flushes.total() - before == 2
    assert z.numpy().tolist() == [4.0, 6.0]
    for found, wanted in zip(train(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    config.async_level = 1
    assert not options.eager


def test_levels_within_an_eager_block() -> None:
    with mge.graph.eager():
        config.async_level = 0
        config.async_level = 2
        assert options.eager
    assert not options.eager


@pytest.mark.parametrize("level", [0, 1, 2])
def test_errors_come_at_the_line_at_each_level(level: int) -> None:
    config.async_level = level
    with pytest.raises(RuntimeError, match=r"add.*\(2,\).*\(3,\)"):
        mge.Tensor([1.0, 2.0]) + mge.Tensor([1.0, 2.0, 3.0])


def test_wrong_levels() -> None:
    for level in (-1, 3):
        with pytest.raises(AssertionError, match=f"async_level should be 0, 1 or 2, not {level}"):
            config.async_level = level
    with pytest.raises(TypeError, match="takes 0, 1 or 2, not '2'"):
        config.async_level = "2"  # type: ignore[assignment]


def test_the_compute_mode() -> None:
    config._compute_mode = "float32"
    assert config._compute_mode == "float32"
    with pytest.raises(ValueError, match="write default or float32"):
        config._compute_mode = "float16"


def test_override() -> None:
    @config._override(benchmark_kernel=True, async_level=0, compute_mode="float32")
    def inside() -> tuple[Any, ...]:
        return config.benchmark_kernel, config.async_level, config._compute_mode, config.deterministic_kernel

    assert inside() == (True, 0, "float32", False)
    assert (config.benchmark_kernel, config.async_level, config._compute_mode) == (False, 2, "default")
    with pytest.raises(TypeError, match="benchmark_kernel"), config._override(async_level=0, benchmark_kernel="x"):  # type: ignore[arg-type]
        pass
    assert config.async_level == 2


def test_xla_is_told_to_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--other=1")
    config.deterministic_kernel = True
    assert os.environ["XLA_FLAGS"] == "--other=1 --xla_gpu_deterministic_ops=true"
    config.deterministic_kernel = False
    assert os.environ["XLA_FLAGS"] == "--other=1"


def test_a_process_computes_with_that_flag() -> None:
    program = (
        "import megengine as mge; mge.config.deterministic_kernel = True; print(mge.Tensor([1.0, 2.0]).sum().item())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout == "3.0\n", done.stderr


@pytest.mark.parametrize(
    ("option", "strategy", "benchmark", "deterministic"),
    [
        ("PROFILE", Strategy.PROFILE, True, False),
        ("PROFILE_REPRODUCIBLE", Strategy.PROFILE | Strategy.REPRODUCIBLE, True, True),
        ("HEURISTIC_REPRODUCIBLE", Strategy.HEURISTIC | Strategy.REPRODUCIBLE, False, True),
        (Strategy.HEURISTIC, Strategy.HEURISTIC, False, False),
    ],
)
def test_strategies(option: Any, strategy: Strategy, benchmark: bool, deterministic: bool) -> None:
    set_execution_strategy(option)
    assert get_execution_strategy() == strategy
    assert (config.benchmark_kernel, config.deterministic_kernel) == (benchmark, deterministic)


def test_what_is_measured() -> None:
    """A program of another strategy is another program, and the one before comes back with its own."""
    x, w = Tensor(np.ones((2, 8, 12, 12), np.float32)), Tensor(np.ones((8, 8, 3, 3), np.float32))
    asked: list[str] = []

    def choose(signature: str, candidates: Any) -> str:
        asked.append(signature.split()[0])
        return "blas" if "blas" in candidates else "direct"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CHOICES, "choose", choose)
        expected = {}
        for strategy in ("HEURISTIC", "PROFILE", "PROFILE_REPRODUCIBLE", "HEURISTIC"):
            set_execution_strategy(strategy)
            assert options.measured is (strategy == "PROFILE")
            for tier in ("host", "compiled"):
                before = len(asked)
                with graph.tier(tier):
                    found = F.conv2d(x, w, padding=1).numpy()
                np.testing.assert_allclose(found, expected.setdefault("y", found), 1e-5)
                named = set(asked[before:])
                wanted = {"host": {"host"}, "compiled": {"executable"}}[tier] if strategy == "PROFILE" else set()
                assert named == wanted or (not named and tier == "host" and library() is None)


def test_wrong_strategies() -> None:
    with pytest.raises(ValueError, match="'FAST': write HEURISTIC"):
        set_execution_strategy("FAST")
    with pytest.raises(AssertionError, match="takes a str or a Strategy, not 3"):
        set_execution_strategy(3)  # type: ignore[arg-type]


# dtr


@pytest.mark.parametrize("name", ["eviction_threshold", "evictee_minimum_size"])
def test_sizes(name: str) -> None:
    for value, expected in (("2GB", 2 << 30), ("1.5 kb", 1536), ("10B", 10), (" 3 MB ", 3 << 20), (7, 7)):
        setattr(dtr, name, value)
        assert getattr(dtr, name) == expected
    for value in ("10", "2tb", "1gb2mb", "-1kb", -1):
        with pytest.raises(ValueError, match=f"dtr.{name}="):
            setattr(dtr, name, value)
    for value in (2.5, None):
        with pytest.raises(TypeError, match=f"dtr.{name} takes an int or a str"):
            setattr(dtr, name, value)
    assert getattr(dtr, name) == 7


def test_sqrt_sampling() -> None:
    dtr.enable_sqrt_sampling = True
    assert dtr.enable_sqrt_sampling is True
    with pytest.raises(TypeError, match="takes True or False, not 'x'"):
        dtr.enable_sqrt_sampling = "x"  # type: ignore[assignment]


def test_training_with_dtr_is_training_without() -> None:
    expected = train()
    dtr.eviction_threshold = "1KB"
    dtr.enable()
    try:
        found = train()
    finally:
        dtr.disable()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


# options of the interpreter


def test_options_are_the_same_settings() -> None:
    set_option("dtr_eviction_threshold", 1024)
    assert dtr.eviction_threshold == get_option("dtr_eviction_threshold") == 1024
    set_option("enable_dtr_sqrt_sampling", 1)
    assert dtr.enable_sqrt_sampling is True
    set_option("async_level", 1)
    assert config.async_level == get_option("async_level") == 1
    set_option("enable_drop", True)
    assert get_option("enable_drop") == 1
    set_option("enable_drop", 0)
    assert get_option("enable_host_compute") == 1


def test_wrong_options() -> None:
    for call in (lambda: get_option("foo"), lambda: set_option("foo", 1)):
        with pytest.raises(IndexError, match="no option 'foo'; there are async_level, "):
            call()
    with pytest.raises(TypeError, match="takes an int, not 'x'"):
        set_option("enable_drop", "x")  # type: ignore[arg-type]


# updates in place


def test_inplace_add() -> None:
    w = mge.Parameter([1.0, 2.0])
    assert _inplace_add_(w, mge.Tensor([1.0, 1.0]), alpha=mge.Tensor(2.0), beta=mge.Tensor(-1.0)) is w
    assert w.numpy().tolist() == [1.0, 3.0]
    with pytest.raises(TypeError, match="delta must be a Tensor"):
        _inplace_add_(w, 1.0, 1.0, 1.0)  # type: ignore[arg-type]
