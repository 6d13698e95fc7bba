"""Old programs, run as `mge run` runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Ran = subprocess.CompletedProcess[str]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Writes files, runs the first of them with the old names, and returns what became of it."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).resolve().parents[3])]))

    def run(text: str, *words: str, plain: bool = False, also: tuple[str, ...] = (), **files: str) -> Ran:
        for name, content in {"program": text, **files}.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        options = [part for name in also for part in ("--also", name)]
        command = [
            sys.executable,
            *([] if plain else ["-m", "megengine.tools.mge", "run", *options]),
            "program.py",
            *words,
        ]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)

    return run
