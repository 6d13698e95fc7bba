"""The check of communication and of bfloat16 on GPUs runs on a CPU, too. Nothing is timed."""

from __future__ import annotations

import pytest

from benchmarks import nccl


def test_on_what_is_here(capfd: pytest.CaptureFixture[str]) -> None:
    nccl.main(["--tiny", "--steps", "4", "--processes", "2"])
    alone, together, gpt = capfd.readouterr().out.splitlines()[-3:]
    assert alone.startswith("a group of one process: 6 collectives are right, ") and "cpu" in alone
    assert together == "2 processes: 6 collectives are right"
    assert gpt.startswith("GPT, tiny: losses agree; ")


def test_results_that_differ_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nccl, "losses_and_seconds", lambda size, half, steps: ([1.0 + half], 1.0))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        nccl.gpt("tiny", 4, "cpu")
