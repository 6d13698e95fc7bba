"""Choices by measuring: of times that the tests invent."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from megengine.ops import convolve as algorithms
from megengine.ops import timed
from megengine.ops.bilinear import convolve, gradients
from megengine.ops.candidates import candidates
from megengine.ops.onednn import custom_call
from megengine.ops.onednn.convolution import Convolution
from megengine.ops.onednn.library import library
from megengine.ops.timed import CHOICES, Choices, measuring

PARAMS: Any = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}


class Candidates:
    """Candidates that take given times; what was made ready is noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **times: float) -> None:
        self.made: list[str] = []
        self.runs = {name: partial(self._prepare, name) for name in times}
        monkeypatch.setattr(timed, "seconds", lambda run: times[run()])

    def _prepare(self, name: str) -> Callable[[], str]:
        self.made.append(name)
        return lambda: name


@pytest.fixture
def choices(tmp_path: Path) -> Choices:
    made = Choices()
    made.keep_in(lambda: tmp_path / "kept")
    return made


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"rule": 2.0, "other": 1.0}, "other"),
        ({"rule": 1.0, "other": 2.0}, "rule"),
        ({"rule": 1.0, "other": 0.97}, "rule"),  # not clearly
        ({"rule": 9.0, "other": 3.0, "third": 1.0}, "third"),
    ],
)
def test_the_fastest_is_chosen(
    times: dict[str, float], expected: str, choices: Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = Candidates(monkeypatch, **times)
    assert choices.choose("s", candidates.runs) == expected
    assert choices.choose("s", candidates.runs) == expected
    assert candidates.made == list(times)


def test_one_disturbed_turn_decides_nothing(choices: Choices, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"rule": iter([1.0] * 99), "other": iter([30.0, 0.5, *[0.6] * 99])}
    monkeypatch.setattr(timed, "seconds", lambda run: next(times[run()]))
    prepare = {name: lambda name=name: lambda: name for name in times}
    assert choices.choose("s", prepare) == "other"


def test_what_is_the_only_one_is_not_measured(choices: Choices, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = Candidates(monkeypatch, rule=1.0)
    assert choices.choose("s", candidates.runs) == "rule" and not candidates.made


def test_a_candidate_that_fails_is_left_out(choices: Choices, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = Candidates(monkeypatch, rule=2.0, other=1.0)

    def fails() -> Any:
        raise MemoryError

    assert choices.choose("s", {**candidates.runs, "best": fails}) == "other"
    assert choices.choose("t", {"rule": fails, "other": fails}) == "rule"


def test_other_processes_find_it(choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choices.choose("s", Candidates(monkeypatch, rule=2.0, other=1.0).runs)
    later = Choices()
    later.keep_in(lambda: tmp_path / "kept")
    candidates = Candidates(monkeypatch, rule=1.0, other=2.0)
    assert later.choose("s", candidates.runs) == "other" and not candidates.made
    (path,) = (tmp_path / "kept").iterdir()
    assert json.loads(path.read_text()) == {
        "signature": "s", "chosen": "other", "microseconds": {"rule": 2e6, "other": 1e6}
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"signature": "t", "chosen": "rule"}', b'{"signature": "s", "chosen": "gone"}',
     b'{"signature": "s", "chosen": 3}'],
)  # fmt: skip
def test_a_damaged_file_is_measured_anew(
    content: bytes, choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = Candidates(monkeypatch, rule=2.0, other=1.0)
    choices.choose("s", candidates.runs)
    (path,) = (tmp_path / "kept").iterdir()
    path.write_bytes(content)
    later = Choices()
    later.keep_in(lambda: tmp_path / "kept")
    assert later.choose("s", candidates.runs) == "other"
    assert json.loads(path.read_text())["chosen"] == "other" and len(list((tmp_path / "kept").iterdir())) == 1


def test_without_a_folder_it_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for folder in (None, tmp_path / "file" / "below"):  # none, and one that cannot be made
        choices = Choices()
        choices.keep_in(lambda folder=folder: folder)  # type: ignore[misc]
        candidates = Candidates(monkeypatch, rule=2.0, other=1.0)
        assert [choices.choose("s", candidates.runs) for _ in range(2)] == ["other", "other"]
        assert candidates.made == ["rule", "other"]


def test_several_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As processes do, each with what it has read so far."""
    candidates = Candidates(monkeypatch, rule=2.0, other=1.0)

    def choose(k: int) -> str:
        choices = Choices()
        choices.keep_in(lambda: tmp_path)
        return choices.choose(f"s{k % 3}", candidates.runs)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(choose, range(100))) == {"other"}
    assert [json.loads(path.read_text())["chosen"] for path in tmp_path.iterdir()] == ["other"] * 3


@pytest.mark.parametrize("groups", [1, 4, 16])
def test_convolutions_by_each_candidate(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever is said to be the fastest computes the same."""
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s, np.float32) for s in ((2, 16, 9, 9), (16, 16 // groups, 3, 3)))
    params = {**PARAMS, "groups": groups}

    def f(x: Any, w: Any) -> Any:
        return [convolve(x, w, **params), *gradients(x, w, x, **params)]

    wanted = jax.jit(f)(x, w)
    names = algorithms.candidates(x.shape, w.shape, **params)
    assert len(names) == {1: 2, 4: 1, 16: 2}[groups]
    for name in names:
        monkeypatch.setattr(CHOICES, "choose", lambda _, candidates, name=name: name if name in candidates else 1 / 0)
        with measuring(True):
            found = jax.jit(lambda x, w: f(x, w)).lower(x, w).compile()(x, w)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, 2e-4, 2e-4, err_msg=name)


def test_the_rule_for_few_windows_of_many_kernels() -> None:
    """As of a ResNet's last stage for small images."""
    for kind, channels, size, by_xla in [
        ("convolve", 512, 2, False), ("convolve_input_gradient", 512, 2, True), ("convolve_kernel_gradient", 512, 2, True),
        ("convolve_kernel_gradient", 512, 7, False), ("convolve_kernel_gradient", 64, 2, False),
    ]:  # fmt: skip
        sizes = (16, channels, size, size), (channels, channels, 3, 3)
        of = Convolution(kind, *sizes, (1, 1), (1, 1), (1, 1), 1)
        found = custom_call.convolution(
            kind, np.dtype(np.float32), x_shape=of.x_shape, kernel_shape=of.kernel_shape, **PARAMS
        )
        assert (found is None) is (by_xla or library() is None)
        assert (next(iter(candidates(of, library_too=True))) == "onednn") is not by_xla


def test_what_is_measured_runs() -> None:
    for kind in ("convolve", "convolve_input_gradient", "convolve_kernel_gradient"):
        of = Convolution(kind, (2, 8, 8, 8), (8, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1, True, True)
        ready = candidates(of, library_too=library() is not None)
        assert set(ready) == {"direct", "patches", *(["onednn"] if library() else [])}
        assert set(timed.compared(ready)) == set(ready)


def test_the_choice_is_the_library_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    if not custom_call.ready():
        pytest.skip("needs oneDNN")
    x, w = np.ones((2, 8, 12, 12), np.float32), np.ones((8, 8, 3, 3), np.float32)
    for name, calls in (("onednn", True), ("direct", False), ("patches", False)):
        monkeypatch.setattr(CHOICES, "choose", lambda *_, name=name: name)
        with measuring(True):
            text = jax.jit(lambda x, w: convolve(x, w, **PARAMS)).lower(x, w).as_text()
        assert (custom_call.TARGET in text) is calls
        assert ("stablehlo.convolution" in text) is (name == "direct")
    monkeypatch.setattr(CHOICES, "choose", pytest.fail)  # by the rule, and for other processes: nothing is asked
    jax.jit(lambda x, w: convolve(x, w, **PARAMS)).lower(x, w)
    with measuring(True), custom_call.portable():
        jax.jit(lambda x, w: convolve(x, w, **PARAMS)).lower(x, w)
