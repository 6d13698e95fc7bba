"""The programs in C and C++ of docs/custom-operators.md, compiled as their first lines say, print what stands below them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "custom-operators.md"
PROGRAM = re.compile(
    r"^```(?:c|cpp)\n(// ([\w.]+): (.+?)\n.*?)^```\n\n^```python\n(.*?)^```\n\n^```text\n(.*?)^```", re.M | re.S
)


def programs() -> list[tuple[str, ...]]:
    return PROGRAM.findall(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("source", "file", "command", "program", "output"), [pytest.param(*p, id=p[1]) for p in programs()]
)
def test_program(source: str, file: str, command: str, program: str, output: str, tmp_path: Path) -> None:
    compiler = command.partition(" ")[0]
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    (tmp_path / file).write_text(source, encoding="utf-8")
    subprocess.run(command.replace("python -c", f"{sys.executable} -c"), shell=True, check=True, cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(PAGE.parent.parent)}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.stdout == output, ran.stderr


def test_every_block_of_the_page_is_run() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert (
        len(programs())
        == len(re.findall("^```(?:c|cpp)$", text, re.M))
        == len(re.findall("^```python$", text, re.M))
        == 2
    )
