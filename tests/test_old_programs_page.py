"""The page on old programs: its program is written out and run, and the commands print what it shows."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "old-programs.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)^```", PAGE, re.M | re.S))
COMMANDS = re.findall(r"^```console\n\$ mge (.*?)\n(.*?)^```", PAGE, re.M | re.S)


@pytest.mark.parametrize(("words", "shown"), COMMANDS)
def test_command(words: str, shown: str, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    pytest.importorskip("PIL")
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "megengine.tools.mge", *words.split()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert ran.returncode == (1 if words.startswith("check") else 0), ran.stderr
    printed = ran.stdout + ran.stderr
    assert doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS), printed


def test_the_page_has_a_program_and_both_commands() -> None:
    assert sorted(FILES) == ["shapes.py", "train.py"]
    assert [words.split()[0] for words, _ in COMMANDS] == ["check", "run"]


def test_without_the_command_the_program_does_not_run(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280
    )
    assert ran.returncode == 1 and "has no attribute 'Mapping'" in ran.stderr
