"""The live line."""

from __future__ import annotations

import io
import sys

import pytest

from megengine.tools.train.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_shows_loss_accuracy_and_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    bar = Progress(epoch=1, total=128)
    bar.add(64, 0.5, 48)
    bar._next = 0.0
    bar.add(64, 0.25, 64)
    bar.close()
    shown = terminal.getvalue()
    assert "Epoch 1 " in shown and "100%" in shown
    assert "loss 0.375, acc 0.875" in shown and "images/s" in shown


def test_it_is_silent_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    bar = Progress(epoch=0, total=64)
    bar.add(64, 0.5, 48)
    bar.close()
    assert log.getvalue() == ""


def test_it_is_silent_when_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    bar = Progress(epoch=0, total=64, show=False)
    bar.add(64, 0.5, 48)
    bar.close()
    assert terminal.getvalue() == ""
